r"""A search on a user's few pictures under a limit on FLOPs, compared with plain networks.

    python -m benchmarks.own_pictures --cifar DIR --out FOLDER --seeds 0 1 2 3 4

DIR holds CIFAR-10 as `train/` and `test/`, each with a folder of images per class. The user's
pictures are the first 300 training images, by name, of each of four classes; the first 250 test
images of each are held out. For each seed, it runs `neptune-nas search` with only the pictures and
the limit, then the `train` command of the report's first card. It trains the plain networks of
the first search with the defaults of `train` and five seeds. It prints the mean held-out accuracy
of each network, the standard deviation between training seeds, and how long search and training
took. Results already in FOLDER are reused.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile
from statistics import fmean, stdev
from time import monotonic

from neptune_nas.study.read import read_study

CLASSES = ("automobile", "bird", "frog", "ship")
EACH = {"train": 300, "test": 250}
FIRST_CARD = r"Most accurate within your limits\b.*?: trial (\d+),"
PLAIN_SEEDS = "5"


def folder_of(cifar: Path, split_name: str, classes: Sequence[str], out: Path) -> Path:
    """Copy the first images of each class, by name, into a folder, and return the folder."""
    folder = out / split_name
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for image in sorted((cifar / split_name / name).iterdir())[: EACH[split_name]]:
            copyfile(image, folder / name / image.name)
    return folder


def run(arguments: Sequence[str], folder: Path, log: Path) -> float:
    """Run a toolkit command in a folder, log its output, and return the seconds it took."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = monotonic()
    with log.open("w") as file:
        command = [sys.executable, "-m", "neptune_nas", *arguments]
        subprocess.run(command, cwd=folder, stdout=file, stderr=file, check=True)
    return monotonic() - begun


def held_out(trained: Path, held: Path) -> list[float]:
    """Return the held-out accuracy of each seed of a trained network."""
    accuracies = []
    for model in sorted(trained.glob("seed-*/model.safetensors")):
        numbers = model.parent / "held.json"
        arguments = ["evaluate", str(model), f"folder:{held}", "--json", str(numbers)]
        run(arguments, trained, model.parent / "held.log")
        accuracies.append(float(json.loads(numbers.read_text())["accuracy"]))
    return accuracies


def search_and_train(seed: int, pictures: Path, limit: str, out: Path) -> dict[str, float]:
    """Search, train the most accurate trial, and return the seconds of each."""
    folder, times = out / f"seed-{seed}", out / f"seed-{seed}" / "times.json"
    if times.exists():
        return dict(json.loads(times.read_text()))
    asked = ["search", "--data", f"folder:{pictures}", "--constraint", f"flops<={limit}"]
    searched = run([*asked, "--seed", str(seed)], folder, out / f"seed-{seed}.search.log")
    said = (out / f"seed-{seed}.search.log").read_text()
    card = re.search(FIRST_CARD, said)
    assert card is not None
    (study,) = (folder / "studies").iterdir()
    arguments = ["train", str(study), "--trial", card[1]]
    trained = run([*arguments, "-o", "trained"], folder, out / f"seed-{seed}.train.log")
    found = {"search": searched, "train": trained}
    times.write_text(json.dumps(found))
    return found


def plain_networks(pictures: Path, out: Path) -> dict[str, Path]:
    """Train the plain networks of the first search, and return their folders by name."""
    study = read_study(min(out.glob("seed-*/studies/*")))
    folders = {each.name: out / each.name for each in study.references}
    for name, folder in folders.items():
        if not (folder / "metrics.json").exists():
            asked = ["train", name, "--data", f"folder:{pictures}", "--seeds", PLAIN_SEEDS]
            run([*asked, "-o", str(folder)], out, out / f"{name}.log")
    return folders


def main() -> None:
    """Search and train with each seed, and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--classes", nargs="+", default=CLASSES)
    parser.add_argument("--limit", default="2M")
    options = parser.parse_args()
    out = options.out.resolve()
    pictures, held = (folder_of(options.cifar, name, options.classes, out) for name in EACH)
    found = []
    for seed in options.seeds:
        times = search_and_train(seed, pictures, options.limit, out)
        accuracies = held_out(out / f"seed-{seed}" / "trained", held)
        found.append(fmean(accuracies))
        minutes = ", ".join(f"{name} {seconds / 60:.1f} min" for name, seconds in times.items())
        print(
            f"seed {seed}: {fmean(accuracies):.4f} ± {stdev(accuracies):.4f}; {minutes}", flush=True
        )
    plain = []
    for name, folder in plain_networks(pictures, out).items():
        accuracies = held_out(folder, held)
        plain.append(fmean(accuracies))
        print(f"{name}: {fmean(accuracies):.4f} ± {stdev(accuracies):.4f}")
    lead = 100 * (fmean(found) - max(plain))
    print(
        f"searches: {fmean(found):.4f} on average, {lead:+.1f} points over the best plain network"
    )


if __name__ == "__main__":
    main()

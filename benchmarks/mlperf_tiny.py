"""Image classification of MLPerf Tiny: networks that the toolkit finds, beside its ResNet-8.

    python -m benchmarks.mlperf_tiny --cifar DIR --out FOLDER --share 0.5

DIR holds CIFAR-10 as `train/` and `test/`, each with a folder of images per class. The reference
has 62.5 KiB of activations and 76.9 KiB of weights, and 85.6% in int8 (Banbury et al. 2021, arXiv
2106.07597). It searches `micro` for networks within a share of both, on part of the training
images, and trains the most accurate on all of them, then ResNet-8 in the same way. Activations are
the planned maps; what the runtime keeps besides is printed too. Training reads the test split
once, at its end. Results already in FOLDER are reused.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev

from neptune_nas.graphs.joining import GraphModel
from neptune_nas.graphs.memory_plan import arena, peak, plan
from neptune_nas.metrics.registry import INT8, PARAMS
from neptune_nas.study.objectives import value_of
from neptune_nas.study.read import read_study
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial

ACTIVATIONS, WEIGHTS = 64_000, 78_745  # bytes of the reference
RUNTIME = 9_000  # bytes that the runtime keeps of a network this small, about
SHAPE, CLASSES = (3, 32, 32), 10


def run(folder: Path, log: str, *words: object) -> None:
    """Run a toolkit command in a folder, and log its output."""
    with (folder / log).open("a") as file:
        command = [sys.executable, "-m", "neptune_nas", *map(str, words)]
        subprocess.run(command, cwd=folder, stdout=file, stderr=file, check=True)


def searched(asked: argparse.Namespace, out: Path) -> Study:
    """Return the study of a search within a share of the reference's memory."""
    place = out / "studies" / f"share-{asked.share:g}"
    if not (place / "best.json").exists():
        limits = (
            f"ram<={asked.share * ACTIVATIONS + RUNTIME:.0f}bytes",
            f"params<={asked.share * WEIGHTS:.0f}",
        )
        words = [word for limit in limits for word in ("--constraint", limit)]
        words += ["--data", f"folder:{asked.cifar}#{asked.images}", "--space", "micro"]
        words += ["--objectives", INT8[0].name, "--rungs", asked.rungs, "--no-yardstick"]
        words += ["--trials", str(asked.trials), "--confirm", "0", "--study-name", place.name]
        run(out, "search.log", "search", *words)
    return read_study(place)


def best(study: Study, share: float) -> Trial:
    """Return the most accurate trial whose maps keep to a share of the reference's activations."""
    graphs = GraphModel(SHAPE, CLASSES)
    fitting = (
        trial
        for trial in study.ranked
        if peak(plan(graphs.graph(trial.architecture))) <= share * ACTIVATIONS
    )
    found = max(fitting, key=lambda trial: value_of(INT8[0], trial))
    graph = graphs.graph(found.architecture)
    print(
        f"trial {found.number}: {peak(plan(graph)) / 1024:.1f} KiB of maps, "
        f"{arena(graph) / 1024:.1f} KiB of arena, {value_of(PARAMS, found):,.0f} parameters"
    )
    return found


def trained(asked: argparse.Namespace, out: Path, name: str, *source: object) -> None:
    """Train a network on all training images and print its accuracies on the test images."""
    folder = out / f"{name}-{asked.epochs}"
    if not (folder / "metrics.json").exists():
        words = ("--epochs", asked.epochs, "--seeds", asked.seeds, "--threads", 1, "--int8")
        data = ("--data", f"folder:{asked.cifar}")
        run(out, f"{folder.name}.log", "train", *source, *data, *words, "-o", folder)
    seeds = json.loads((folder / "metrics.json").read_text())["seeds"]
    for metric in ("test_accuracy", "test_int8_accuracy"):
        values = [seed[metric] for seed in seeds]
        spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
        print(f"{name}, {asked.epochs} epochs: {metric} {fmean(values):.4f}{spread}", flush=True)


def main() -> None:
    """Search, train, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rungs", default="2,6,18")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    asked.cifar, out = asked.cifar.resolve(), asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    study = searched(asked, out)
    found = best(study, asked.share)
    trained(asked, out, f"share-{asked.share:g}", study.folder, "--trial", found.number)
    trained(asked, out, "resnet8", "resnet8")


if __name__ == "__main__":
    main()

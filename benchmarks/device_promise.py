"""Whether an int8 file keeps what was promised of it, for every pick of several searches.

    python -m benchmarks.device_promise --out FOLDER

For each target it searches digits, trains every pick of the report with `train --int8`, and exports
it as `.tflite`, which runs on its runtime over the validation images. It prints RAM, flash and int8
accuracy as promised and as measured, and how many of them are equal.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from neptune_nas.metrics.registry import metric
from neptune_nas.report.verdict import picks
from neptune_nas.study.read import read_study
from neptune_nas.study.study import Study

TARGETS = ("nano-33-iot", "stm32f446", "stm32f746")


def run(folder: Path, *words: object) -> None:
    """Run a toolkit command in a folder, and log its output."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a") as log:
        command = [sys.executable, "-m", "neptune_nas", *map(str, words)]
        subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=True)


def searched(folder: Path, target: str, data: str, trials: int, seed: int) -> Study:
    """Return the study of a search for a target."""
    asked = ("--target", target, "--data", data, "--trials", trials, "--seed", seed)
    run(folder, "search", *asked, "--study-name", target, "--no-yardstick")
    return read_study(folder / "studies" / target)


def main() -> None:
    """Search, train and export for each target, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=20)
    asked = parser.parse_args()
    out, equal, count = asked.out.resolve(), 0, 0
    for seed, target in enumerate(TARGETS):
        study = searched(out, target, asked.data, asked.trials, seed)
        place = f"studies/{target}"
        for number in {study.ranking(which)[0].trial.number for which in picks(study)}:
            trained = f"trained/{target}-{number}"
            how = ("--epochs", asked.epochs, "--seeds", 1, "--int8", "-o", trained)
            run(out, "train", place, "--trial", number, *how)
            file = f"{target}-{number}.tflite"
            run(out, "export", place, "--trial", number, "--weights", trained, "-o", file)
        for each in read_study(out / place).exports:
            for name, measured in each.file.measured.items():
                promised = each.file.promised[name]
                equal, count = equal + (measured == promised), count + 1
                print(
                    f"{target}, trial {each.trial}: {name} {metric(name).text(promised)} promised, "
                    f"{metric(name).text(measured)} measured ({each.file.images} images)",
                    flush=True,
                )
    print(f"{equal} of {count} are equal")


if __name__ == "__main__":
    main()

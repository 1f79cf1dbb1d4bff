"""The value of holding promotions back: rungs on a table of learning curves.

    python -m benchmarks.naap440 naap440.csv.gz naap440-table.csv.gz
    python -m benchmarks.caution --table naap440-table.csv.gz --space benchmarks/naap440.py

Each search takes networks through the rungs of a table, one at a time. Successive halving promotes
the best of those it knows; with a caution of 2 it promotes half as many while more trials are to
come, and the others once all are known (`neptune_nas/study/rungs.py`). It prints the hypervolume of
the networks that reached the last rung, as a share of the table's true front, with standard error;
and the epochs trained, in whole trainings.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import optuna

from benchmarks.search import Bench
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.search.config import Search
from neptune_nas.space import find_space
from neptune_nas.study import rungs


def searched(bench: Bench, options: argparse.Namespace, sampler: str, seed: int) -> list[float]:
    """Return the share of the hypervolume, and the whole trainings spent on it."""
    with TemporaryDirectory() as out:
        study = Search(
            space=options.space,
            table=options.table,
            trials=options.trials,
            rungs=options.rungs,
            sampler=sampler,
            seed=seed,
            jobs=1,
            out=out,
        ).run()
    means = np.array([bench.table.mean(trial.architecture) for trial in study.ranked])
    flops = np.array([float(trial.values["flops"]) for trial in study.ranked])
    epochs = sum(score.fidelity for trial in study.trials for score in trial.scores)
    return [bench.volume_of(flops, means) / bench.volume, epochs / options.rungs[-1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--space", required=True)
    parser.add_argument("--floor", type=float, default=0.1, help="reference accuracy, 0..1")
    parser.add_argument("--rungs", type=int, nargs="+", default=[10, 30, 90])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--samplers", nargs="+", default=["auto", "random"])
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    bench = Bench(Tabular.from_file(options.table, find_space(options.space)), options.floor)
    print("| sampler | caution | trials | hypervolume | trainings |\n|---|---|---|---|---|")
    for sampler in options.samplers:
        for caution in (1, 2):
            rungs.CAUTION = caution  # the setting under test
            found = [searched(bench, options, sampler, seed) for seed in range(options.seeds)]
            (share, trainings), error = np.mean(found, 0), np.std(found, 0, ddof=1)[0]
            row = f"{share:.4f} ± {error / options.seeds**0.5:.4f} | {trainings:.1f}"
            print(f"| {sampler} | {caution} | {options.trials} | {row} |", flush=True)


if __name__ == "__main__":
    main()

"""The value of holding promotions back: rungs on a table of learning curves.

    python -m benchmarks.naap440 naap440.csv.gz naap440-table.csv.gz
    python -m benchmarks.caution --table naap440-table.csv.gz --space benchmarks/naap440.py

Each search takes networks through the rungs of a table, one at a time. Successive halving promotes
the best of those it knows; with a caution of 2 it promotes half as many while more trials are to
come, and the others once all are known (`neptune_nas/study/rungs.py`). It prints the hypervolume of
the networks that reached the last rung, as a share of the table's true front, and the share of the
gap from promoting as many of the search's own networks at random to promoting all (see
`benchmarks.gap`), both with standard errors; and the epochs trained, in whole trainings. What as
many at random would have kept, and all, stands in the last rows of each sampler, for both cautions.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import optuna

from benchmarks.gap import ALL, RANDOM, Gap, gap_of, percent, share_closed
from benchmarks.search import Bench
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.search.config import Search
from neptune_nas.space import find_space
from neptune_nas.study import rungs


def searched(
    bench: Bench, options: argparse.Namespace, sampler: str, seed: int
) -> tuple[Gap, float]:
    """Return the gap of a search's promotions, as shares of the true front, and its trainings."""
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
    means = np.array([bench.table.mean(trial.architecture) for trial in study.trials])
    flops = np.array([trial.values["flops"] for trial in study.trials])
    last = {trial.number for trial in study.ranked}
    promoted = [row for row, trial in enumerate(study.trials) if trial.number in last]
    points = np.stack([flops / bench.ceiling, -means], axis=1)
    gap = gap_of(points, promoted, (1.0, -bench.floor))
    epochs = sum(score.fidelity for trial in study.trials for score in trial.scores)
    shares = (each / bench.volume for each in (gap.kept, gap.random, gap.truth))
    return Gap(*shares), epochs / options.rungs[-1]


def row(label: str, sampler: str, gaps: Sequence[Gap], trainings: float) -> str:
    """Return a line of the table."""
    kept = [gap.kept for gap in gaps]
    error = np.std(kept, ddof=1) / len(kept) ** 0.5
    cells = f"{np.mean(kept):.4f} ± {error:.4f}", percent(*share_closed(gaps)), f"{trainings:.1f}"
    return f"| {sampler} | {label} | {' | '.join(cells)} |"


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
    print("| sampler | promoted | hypervolume | share of the gap | trainings |")
    print("|---|---|---|---|---|")
    for sampler in options.samplers:
        both: list[Gap] = []
        for caution in (1, 2):
            rungs.CAUTION = caution  # the setting under test
            found = [searched(bench, options, sampler, seed) for seed in range(options.seeds)]
            gaps, trainings = [gap for gap, _ in found], float(np.mean([cost for _, cost in found]))
            print(row(f"by score, caution {caution}", sampler, gaps, trainings), flush=True)
            both += gaps
        print(row(RANDOM, sampler, [replace(gap, kept=gap.random) for gap in both], trainings))
        print(row(ALL, sampler, [replace(gap, kept=gap.truth) for gap in both], options.trials))


if __name__ == "__main__":
    main()

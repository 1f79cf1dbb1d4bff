"""The value of confirming the best: the regret of a study's recommendation, by accuracy alone.

    python -m benchmarks.confirm --table nas-bench-macro_cifar10.json.gz --space nasbench-macro

Each search looks networks up in a table, one training run per evaluation. With the same total of
evaluations, either every one is a new network, or the last 15% (`--share`) score the five most
accurate (`--top`) again, until each has two or three scores (`--scores`), as in `neptune-nas search
--confirm N`, which requires three, or `neptune-nas confirm --by accuracy`. The network with the
best mean is then recommended. Regret: the gap in points of its mean over all runs of the table to
the best; mean and standard error over seeds. In a table with three runs of each network, three
scores are all that is known of it, so that their mean is the truth itself. For a truth that scores
only approach, see `benchmarks.redraw`.
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
from neptune_nas.study.confirmation import Goal
from neptune_nas.trust.confirm import run_confirm


def regret(
    bench: Bench, options: argparse.Namespace, seed: int, split: tuple[int, int], scores: int
) -> float:
    """Return the regret in points after a split of evaluations into search and confirmation."""
    with TemporaryDirectory() as out:
        search = Search(
            space=options.space,
            table=options.table,
            trials=split[0],
            objectives=("accuracy",),
            sampler=options.sampler,
            seed=seed,
            jobs=1,
            out=out,
        )
        study = search.run()
        if split[1]:
            study = run_confirm(search, Goal(scores, "accuracy", options.top), split[1])
        spent = sum(len(t.scores) + len(t.confirmations) for t in study.trials)
        assert spent <= sum(split)
        return 100 * (bench.best - bench.table.mean(study.best("accuracy").architecture))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--space", default="nasbench-macro")
    parser.add_argument("--sampler", default="auto")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--scores", type=int, nargs="+", default=[1, 2, 3], help="of each, at most")
    parser.add_argument("--top", type=int, default=5, help="how many are scored again")
    parser.add_argument("--share", type=float, default=0.15, help="of the evaluations, to confirm")
    parser.add_argument("--marks", type=int, nargs="+", default=[50, 100, 200], help="evaluations")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    bench = Bench(Tabular.from_file(options.table, find_space(options.space)), 0.0)
    print(
        "| evaluations | search | confirm | scores each | regret, points |\n|---|---|---|---|---|"
    )
    for mark in options.marks:
        for scores in options.scores:
            again = round(options.share * mark) if scores > 1 else 0
            split = mark - again, again
            found = [regret(bench, options, seed, split, scores) for seed in range(options.seeds)]
            error = np.std(found, ddof=1) / len(found) ** 0.5
            row = (mark, *split, scores, f"{np.mean(found):.4f} ± {error:.4f}")
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()

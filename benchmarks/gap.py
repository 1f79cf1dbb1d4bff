"""The share of the gap from random promotion to the truth that a ranking closes.

    python -m benchmarks.naap440 naap440.csv.gz naap440-table.csv.gz
    python -m benchmarks.gap --table naap440-table.csv.gz --space benchmarks/naap440.py
    python -m benchmarks.gap --study studies/cifar10-jpeg

A share of some networks (`--reduction 3`: a third) is promoted as a rung does it, ranked by their
scores after a few epochs, by a proxy or by their size, each beside the FLOPs. Kept is the
hypervolume of accuracy and FLOPs, by the accuracies of full training. Promoting at random keeps
most of it too; so the measure is (kept - that of as many at random) / (that of all - that of as
many at random). The networks are `--count` of a table, drawn anew for each seed, or those that an
audit of a study trained in full. The value at random is exact, not drawn.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb, nan
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.search import Bench
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.metrics.pareto import Floats, hypervolume
from neptune_nas.space import find_space
from neptune_nas.study.read import read_study
from neptune_nas.study.rungs import REDUCTION, best_first

HEADER = "| promoted | hypervolume kept | share of the gap |\n|---|---|---|"
RANDOM, ALL = "at random, as many", "all"

_ROUNDING = 1e-12

Reference = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Gap:
    """The hypervolumes of some promoted networks, of as many at random (expected), and of all."""

    kept: float
    random: float
    truth: float


def gap_of(points: Floats, promoted: Sequence[int], reference: Reference) -> Gap:
    """Return the gap of a promotion; `points` `(n, 2)` are to be minimised."""
    chosen = points[list(promoted)]
    return Gap(
        kept=hypervolume(chosen, reference),
        random=random_volume(points, len(chosen), reference),
        truth=hypervolume(points, reference),
    )


def random_volume(points: Floats, count: int, reference: Reference) -> float:
    """Return the expected hypervolume of `count` of the `(n, 2)` points, drawn without replacement.

    A place that k of the n points dominate is missed by C(n - k, count) of the C(n, count) draws.
    """
    inside = np.minimum(points, reference)
    columns, rows = (np.append(np.sort(inside[:, i]), reference[i]) for i in (0, 1))
    below = inside[:, 0, None] <= columns[:-1], inside[:, 1, None] <= rows[:-1]
    dominating = below[0].T.astype(int) @ below[1].astype(int)  # of each place between the points
    found = 1 - np.array(
        [comb(len(points) - k, count) / comb(len(points), count) for k in range(len(points) + 1)]
    )
    areas = np.outer(np.diff(columns), np.diff(rows))
    return float((found[dominating] * areas).sum())


def share_closed(gaps: Sequence[Gap]) -> tuple[float, float]:
    """Return the share of the mean gap that is closed, and its standard error.

    It is 0 at random and 1 for the truth. NaN where there is no gap; the error also for one sample.
    """
    gains = np.array([gap.kept - gap.random for gap in gaps])
    widths = np.array([gap.truth - gap.random for gap in gaps])
    if widths.mean() <= _ROUNDING:
        return nan, nan
    share = float(gains.mean() / widths.mean())
    if len(gaps) < 2:
        return share, nan
    spread = (gains - share * widths).std(ddof=1) / len(gaps) ** 0.5
    return share, float(spread / widths.mean())


def percent(value: float, error: float) -> str:
    """Return a share and its standard error, if there is any, in percent."""
    return f"{value:.1%} ± {error:.1%}" if error > 0 else f"{value:.1%}"


def table_of(found: Mapping[str, Sequence[Gap]]) -> Iterator[str]:
    """Yield the lines of a Markdown table of promotions of equal samples, at random to the truth.

    Promotions keep a share of the truth.
    """
    usual = next(iter(found.values()))
    yield HEADER
    for label, gaps in {
        RANDOM: [replace(gap, kept=gap.random) for gap in usual],
        **found,
        ALL: [replace(gap, kept=gap.truth) for gap in usual],
    }.items():
        shares = np.array([gap.kept / gap.truth for gap in gaps])
        error = shares.std(ddof=1) / len(shares) ** 0.5 if len(shares) > 1 else nan
        yield f"| {label} | {percent(shares.mean(), error)} | {percent(*share_closed(gaps))} |"


def promote(values: Sequence[float], costs: Floats, count: int) -> list[int]:
    """Return the rows that a rung promotes by values, of which more is better, and costs."""
    losses = {row: (-value, costs[row]) for row, value in enumerate(values)}
    return best_first(losses)[:count]


def of_table(bench: Bench, options: argparse.Namespace, seed: int) -> dict[str, Gap]:
    """Return the gaps of each ranking of networks of a table."""
    drawn = Random(seed).sample(range(bench.space.size), options.count)
    networks = [bench.space[row] for row in drawn]
    costs = [bench.table.cost(network) for network in networks]
    flops = np.array([cost["flops"] for cost in costs])
    means = np.array([bench.table.mean(network) for network in networks])
    values = {
        f"epoch {epoch}": [bench.table(network, epoch, 0).main for network in networks]
        for epoch in options.epochs
    }
    values |= {name: [cost[name] for cost in costs] for name in options.costs}
    points = np.stack([flops / bench.ceiling, -means], axis=1)
    count = options.count // options.reduction
    return {
        name: gap_of(points, promote(each, flops, count), (1.0, -bench.floor))
        for name, each in values.items()
    }


def of_study(folder: Path, floor: float, reduction: int) -> dict[str, Gap]:
    """Return the gaps of each ranking of the networks that a study's audit trained in full."""
    study = read_study(folder, allow=())
    if study.audit is None or study.full_budget is None:
        raise SystemExit(f"{folder} has no audit.json: run `neptune-nas audit` first.")
    trials = {trial.key: trial for trial in study.trials}
    good = [each for each in study.full_budget.truths if each.score.ok and each.key in trials]
    flops = np.array([trials[each.key].values["flops"] for each in good])
    means = np.array([each.score.main for each in good])
    points = np.stack([flops / flops.max(), -means], axis=1)
    return {
        each.name: gap_of(
            points, promote(each.values, flops, len(good) // reduction), (1.0, -floor)
        )
        for each in (*study.audit.rungs, *study.audit.others)
        if each.count == len(good)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--table", type=Path, help="of learning curves")
    source.add_argument("--study", type=Path, help="with an audit")
    parser.add_argument("--space", default="nasbench-macro", help="of the table")
    parser.add_argument("--floor", type=float, default=0.1, help="reference accuracy, 0..1")
    parser.add_argument("--count", type=int, default=60, help="networks of the table")
    parser.add_argument("--reduction", type=int, default=REDUCTION, help="one in this many")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 3, 10, 30])
    parser.add_argument("--costs", nargs="*", default=["flops", "params"], help="to rank by")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    if options.study:
        samples = [of_study(options.study, options.floor, options.reduction)]
    else:
        table = Tabular.from_file(options.table, find_space(options.space))
        bench = Bench(table, options.floor)
        samples = [of_table(bench, options, seed) for seed in range(options.seeds)]
    found = {name: [sample[name] for sample in samples] for name in samples[0]}
    print("\n".join(table_of(found)))


if __name__ == "__main__":
    main()

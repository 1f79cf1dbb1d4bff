"""The width of intervals around means of few seeds: a comparison of estimates of the noise.

    python -m benchmarks.noise --table nas-bench-macro_cifar10.json.gz

Some networks were scored with two or three seeds each. How wide is the 95% interval of each mean,
and does it hold the truth? The ways (`WAYS`):

pooled      one variance for all.
binomial    a factor times p(1 - p), pooled (quasi-likelihood: Wedderburn 1974).
log-linear  a factor times (p(1 - p))^b, b by pseudo-likelihood (Davidian and Carroll 1987), shrunk
            towards 0, which is pooled, by a standard normal prior; by the delta method b's own
            uncertainty costs degrees of freedom.
kernel      pooled with Gaussian weights in log p(1 - p), of width 0.5; Satterthwaite's degrees.
nearest     `neptune_nas.study.noise`: pooled over the nearest networks.

Simulated, errors 1 - p are drawn evenly on a log scale from 0.05 to 0.5, and the truth is known:
`constant` noise; `binomial`, variance as p(1 - p); `steep`, deviation as the error; `cliff`, ten
times the deviation beyond an error of 0.2. Of a table of three runs of each network, up to ten of
the front in (FLOPs, mean accuracy) are drawn, and any others for the rest; two of the runs are the
seeds, and the third is to lie in the interval of its difference to their mean.

For each way: percent of intervals that hold, of the best third (by truth, or mean of the table) and
of all, and the mean width of those of the best third as a share of the pooled ones. Then what the
variance between a table's runs is of p(1 - p) / n, that of n images drawn anew, for the quarters of
its networks from the least accurate up: below 1, as the images stay the same, it is no floor.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from neptune_nas.evaluators.table_file import read_rows
from neptune_nas.evaluators.table_networks import Code
from neptune_nas.metrics.pareto import Floats, non_dominated
from neptune_nas.space import find_space
from neptune_nas.study.noise import Repeats, noise_of

COUNTS = (3, 5, 10, 50, 200)
SLOPES = np.linspace(-1, 4, 101)
DEVIATION = 0.005
BANDWIDTH = 0.5
FRONT = 10  # networks of the front, at most
SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "constant": np.ones_like,
    "binomial": lambda error: error * (1 - error) / (0.05 * 0.95),
    "steep": lambda error: (error / 0.05) ** 2,
    "cliff": lambda error: np.where(error > 0.2, 100.0, 1.0),
}

Way = Callable[[Floats, Floats, int], Floats]
"""A map of means (n,), variances (n,) and degrees of freedom to half-widths of one seed (n,)."""


def student(variances: Floats, degrees: Floats | int) -> Floats:
    """Return the half-widths of 95% intervals of single seeds with these variances."""
    return np.asarray(np.sqrt(variances) * stdtrit(degrees, 0.975))


def logs(means: Floats) -> Floats:
    """Return log p(1 - p), with p clipped away from 0 and 1."""
    p = np.clip(means, 0.001, 0.999)
    return np.asarray(np.log(p * (1 - p)))


def pooled(means: Floats, variances: Floats, degrees: int) -> Floats:
    return student(np.full_like(means, variances.mean()), degrees * len(means))


def binomial(means: Floats, variances: Floats, degrees: int) -> Floats:
    shape = np.exp(logs(means))
    return student((variances / shape).mean() * shape, degrees * len(means))


def log_linear(means: Floats, variances: Floats, degrees: int) -> Floats:
    x, total = logs(means) - logs(means).mean(), degrees * len(means)
    factors = (variances * np.exp(-SLOPES[:, None] * x)).mean(axis=1)
    best = int(np.argmin(total * np.log(factors) + SLOPES**2))
    uncertain = 2 / total + x**2 / (1 + degrees * (x**2).sum() / 2)
    return student(factors[best] * np.exp(SLOPES[best] * x), 2 / uncertain)


def kernel(means: Floats, variances: Floats, degrees: int) -> Floats:
    x = logs(means)
    weights = np.exp(-(((x[:, None] - x) / BANDWIDTH) ** 2) / 2)
    total = weights.sum(axis=1)
    return student(weights @ variances / total, degrees * total**2 / (weights**2).sum(axis=1))


def nearest(means: Floats, variances: Floats, degrees: int) -> Floats:
    pairs = zip(means.tolist(), (variances * degrees).tolist(), strict=True)
    found = noise_of([Repeats(mean, squares, degrees) for mean, squares in pairs])
    assert found is not None
    return np.array([found.half_width((mean, 1)) for mean in means.tolist()])


WAYS: dict[str, Way] = {
    "pooled": pooled,
    "binomial": binomial,
    "log-linear": log_linear,
    "kernel": kernel,
    "nearest": nearest,
}


@dataclass(frozen=True, slots=True)
class Case:
    """Networks, the best first: scores (n, seeds), and the targets of their intervals (n,).

    `runs`: the number of runs in a target, 0 for the truth itself.
    """

    scores: Floats
    target: Floats
    runs: int = 0


def simulated(
    shape: Callable[[Floats], Floats], rng: np.random.Generator, count: int, seeds: int
) -> Case:
    """Return networks with noise of this shape."""
    error = np.sort(np.exp(rng.uniform(np.log(0.05), np.log(0.5), count)))
    deviation = DEVIATION * np.sqrt(shape(error))
    moved = (1 - error + deviation * rng.normal(size=(seeds, count))).T
    return Case(np.clip(moved, 0, 1), 1 - error)


def tabled(runs: Floats, front: Floats, rng: np.random.Generator, count: int, seeds: int) -> Case:
    """Return networks of a table `(networks, runs)`, the front's first; `front` is a mask."""
    chosen = rng.permutation(np.flatnonzero(front))[: min(count, FRONT)]
    others = np.setdiff1d(np.arange(len(runs)), chosen)
    picked = np.append(chosen, rng.choice(others, count - len(chosen), replace=False))
    best_first = picked[np.argsort(-runs[picked].mean(axis=1))]
    found = rng.permuted(runs[best_first], axis=1)
    return Case(found[:, :seeds], found[:, seeds], runs=1)


def judge(case: Case) -> list[list[float]]:
    """Return per way the coverage of the best third and of all, and the former's mean width."""
    means, seeds = case.scores.mean(axis=1), case.scores.shape[1]
    variances, third = case.scores.var(axis=1, ddof=1), max(1, len(means) // 3)
    found = []
    for way in WAYS.values():
        half = way(means, variances, seeds - 1) * (1 / seeds + case.runs) ** 0.5
        holds = np.abs(means - case.target) <= half
        found.append([holds[:third].mean(), holds.mean(), half[:third].mean()])
    return found


def row(name: str, draw: Callable[..., Case], count: int, seeds: int, times: int) -> str:
    """Return one line of the table."""
    rng = np.random.default_rng(0)
    found = np.mean([judge(draw(rng, count, seeds)) for _ in range(times)], axis=0)
    cells = (
        f"{100 * best:.1f} / {100 * every:.1f} / {width / found[0, 2]:.2f}"
        for best, every, width in found
    )
    return f"| {name} | {seeds} | {count} | {' | '.join(cells)} |"


def read_table(path: Path, space: str) -> tuple[Floats, Floats]:
    """Return the accuracies `(networks, 3)` of a table, and the mask of the front."""
    runs: dict[Code, list[float]] = {}
    flops: dict[Code, float] = {}
    for line in read_rows(path, find_space(space)):
        runs.setdefault(line.code, []).append(line.values["accuracy"])
        flops[line.code] = line.costs["flops"]
    table = np.array(list(runs.values()))
    losses = np.stack([-table.mean(axis=1), list(flops.values())], axis=1)
    return table, np.asarray(non_dominated(losses))


def against_sampling(runs: Floats, images: int) -> list[float]:
    """Return variance between runs over that of sampling images, by quarters of accuracy."""
    quarters = np.array_split(runs[np.argsort(runs.mean(axis=1))], 4)
    return [
        float(part.var(axis=1, ddof=1).mean() / (p * (1 - p)).mean() * images)
        for part in quarters
        for p in [part.mean(axis=1)]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--space", default="nasbench-macro")
    parser.add_argument("--times", type=int, default=4000, help="draws of a row; fewer of many")
    parser.add_argument("--images", type=int, default=10_000, help="that the table's scores are of")
    options = parser.parse_args()
    runs, front = read_table(options.table, options.space)
    draws = {
        (name, seeds): partial(simulated, shape)
        for name, shape in SHAPES.items()
        for seeds in (2, 3)
    }
    draws["table", 2] = partial(tabled, runs, front)
    print(f"| noise | seeds | networks | {' | '.join(WAYS)} |\n|{'---|' * (3 + len(WAYS))}")
    for (name, seeds), draw in draws.items():
        for count in COUNTS:
            print(row(name, draw, count, seeds, options.times * 10 // max(count, 10)), flush=True)
    shares = " ".join(f"{share:.2f}" for share in against_sampling(runs, options.images))
    print(f"variance between runs over p(1 - p) / {options.images}, by quarters: {shares}")


if __name__ == "__main__":
    main()

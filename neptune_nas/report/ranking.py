"""Which trial is best: by accuracy per cost, by accuracy, at the knee of the front.

Every formula stands in the docstring of the function that computes it, and in `FORMULAS` as the
report prints it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import hypot, isfinite, log10

from neptune_nas.errors import OptionError, StudyError, one_of
from neptune_nas.pareto import non_dominated
from neptune_nas.report.noise import Noise, accuracies, noise, tied_groups
from neptune_nas.study.objectives import EXACT, value_of
from neptune_nas.study.study import Study
from neptune_nas.trial import Trial

MEGA, GIGA = 1e6, 1e9
WITHIN = 0.05  # of the best accuracy: without a floor the emptiest network is the most efficient
COSTS = (*EXACT, "latency")
BY_COST = ("efficiency", "netscore", *COSTS)  # what the floor is for
RANKINGS = ("efficiency", "accuracy", "knee", "hypervolume", "netscore", *COSTS)

FORMULAS = {
    "efficiency": "(accuracy - chance) / MFLOPs",
    "accuracy": "validation accuracy",
    "knee": "distance above the line between the ends of the front in (log cost, accuracy)",
    "hypervolume": "share of the hypervolume that this trial alone dominates",
    "netscore": "20 log10(accuracy% ^ 2 / (Mparams ^ 0.5 x GMACs ^ 0.5)), arXiv 1806.05512",
    "flops": "FLOPs, least first",
    "macs": "MACs, least first",
    "params": "parameters, least first",
    "activations": "activations, least first",
    "latency": "latency in ms, least first",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A trial and its place in a ranking, from 1.

    `value`: what it is ranked by. `accuracy`: mean over `seeds` seeds; `low` and `high` its 95%
    interval where seeds were repeated. `group`: of statistically tied trials, where noise is known.
    """

    place: int
    trial: Trial
    value: float
    accuracy: float
    seeds: int
    low: float | None = None
    high: float | None = None
    group: int | None = None


def best(study: Study, which: str, min_accuracy: float | None = None) -> Trial:
    """The first trial of a ranking; the knee is sought on the Pareto front alone."""
    return ranking(study, which, min_accuracy)[0].trial


def ranking(
    study: Study, by: str = "efficiency", min_accuracy: float | None = None
) -> tuple[Standing, ...]:
    """The trials scored at the last rung, best first; equal ones by accuracy, then by FLOPs.

    Rankings by cost drop trials more than 5 points below the best accuracy, or below
    `min_accuracy`; the others drop some only if it is given. Raises `OptionError` for an unknown
    ranking and `StudyError` if no trial is left.
    """
    if by not in RANKINGS:
        raise OptionError(f"ranking '{by}' is unknown: {one_of(RANKINGS, by)}")
    trials = admitted(study, by, min_accuracy)
    values = measure(study, by, trials)
    if by == "latency":
        trials, values = measured_latencies(study, trials, values)
    sign = 1 if by in COSTS else -1
    order = sorted(
        range(len(trials)),
        key=lambda i: (sign * values[i], -accuracy(trials[i]), trials[i].cost.flops, i),
    )
    return standings([trials[i] for i in order], [values[i] for i in order], noise(study.ranked))


def standings(
    trials: list[Trial], values: list[float], spread: Noise | None
) -> tuple[Standing, ...]:
    """The ordered trials with places, intervals and tied groups."""
    counts = [len(accuracies(trial)) for trial in trials]
    means = [accuracy(trial) for trial in trials]
    plain = (
        Standing(i + 1, trial, values[i], means[i], counts[i]) for i, trial in enumerate(trials)
    )
    if spread is None:
        return tuple(plain)
    groups = tied_groups(means, counts, spread)
    return tuple(
        replace(with_interval(standing, spread), group=group)
        for standing, group in zip(plain, groups, strict=True)
    )


def with_interval(standing: Standing, spread: Noise) -> Standing:
    """The standing with the interval of its accuracy, if its seeds were repeated."""
    if standing.seeds < 2:
        return standing
    half = spread.half_width(standing.seeds)
    low, high = max(standing.accuracy - half, 0.0), min(standing.accuracy + half, 1.0)
    return replace(standing, low=low, high=high)


def admitted(study: Study, by: str, min_accuracy: float | None) -> list[Trial]:
    """The trials that a ranking compares: scored at the last rung, and not below the floor."""
    ranked = study.front() if by == "knee" else study.ranked
    if not ranked:
        ledger, rung = study.ledger, study.settings.question.rungs[-1]
        raise StudyError(
            f"study '{study.settings.name}' has no trial to rank, none was scored at its last "
            f"rung ({rung}): {ledger.running} running, {ledger.pruned} pruned, {ledger.failed} "
            f"failed; let the search run on, or look at the failures in trials.csv."
        )
    floor = accuracy_floor(study, min_accuracy) if by in BY_COST else (min_accuracy or 0.0)
    kept = [trial for trial in ranked if accuracy(trial) >= floor]
    if not kept:
        top = max(map(accuracy, ranked))
        raise StudyError(
            f"study '{study.settings.name}' has no trial with an accuracy of at least {floor:g}: "
            f"the best is {top:.4f}; lower --min-accuracy."
        )
    return kept


def accuracy_floor(study: Study, min_accuracy: float | None = None) -> float:
    """The least accuracy in a ranking by cost: `min_accuracy`, or 5 points below the best."""
    if min_accuracy is not None:
        return min_accuracy
    return max(map(accuracy, study.ranked), default=0.0) - WITHIN


def measured_latencies(
    study: Study, trials: list[Trial], values: list[float]
) -> tuple[list[Trial], list[float]]:
    """The trials whose latency was measured, and it."""
    kept = [(t, v) for t, v in zip(trials, values, strict=True) if isfinite(v)]
    if not kept:
        raise StudyError(
            f"study '{study.settings.name}' measured no latencies to rank by: "
            f"search with `--objectives accuracy,latency`."
        )
    return [t for t, _ in kept], [v for _, v in kept]


def measure(study: Study, by: str, trials: list[Trial]) -> list[float]:
    """What each of the trials is ranked by."""
    if by == "hypervolume":
        return contributions(study, trials)
    if by == "knee":
        return bends(study, trials)
    chance = study.settings.facts.chance
    measures: dict[str, Callable[[Trial], float]] = {
        "efficiency": lambda trial: efficiency(trial, chance),
        "accuracy": accuracy,
        "netscore": netscore,
    }
    return [measures[by](t) if by in measures else cost_of(t, by) for t in trials]


def accuracy(trial: Trial) -> float:
    """The mean accuracy over seeds at the highest fidelity reached, 0..1; NaN without a score."""
    return trial.score.accuracy if trial.score else float("nan")


def cost_of(trial: Trial, name: str) -> float:
    """A trial's cost of one kind; infinite if it was not measured."""
    return value_of(name, trial.cost, trial.score, trial.latency)


def efficiency(trial: Trial, chance: float) -> float:
    """Accuracy above chance, 0..1, for each million FLOPs."""
    return (accuracy(trial) - chance) / (max(trial.cost.flops, 1) / MEGA)


def accuracy_per_gflop(trial: Trial) -> float:
    """The raw ratio: accuracy, 0..1, for each billion FLOPs."""
    return accuracy(trial) / (max(trial.cost.flops, 1) / GIGA)


def netscore(trial: Trial) -> float:
    """NetScore, in decibels, with the paper's exponents 2, 1/2, 1/2 (Wong 2018, arXiv 1806.05512).

    Accuracy in percent, parameters in millions, MACs in billions.
    """
    percent = max(100 * accuracy(trial), 1e-9)
    size = max(trial.cost.params, 1) / MEGA
    macs = max(trial.cost.macs, 1) / GIGA
    return 20 * (2 * log10(percent) - 0.5 * log10(size) - 0.5 * log10(macs))


def contributions(study: Study, trials: list[Trial]) -> list[float]:
    """The share of the reference box that each trial alone dominates; 0 off the front.

    Without a trial of the front, only others of the front and the front behind it can stand there.
    """
    front, behind = study.front(), second_front(study)
    whole = study.hypervolume(front)
    alone = {
        trial.number: whole - study.hypervolume([t for t in front if t is not trial] + behind)
        for trial in front
    }
    return [alone.get(trial.number, 0.0) for trial in trials]


def second_front(study: Study) -> list[Trial]:
    """The ranked trials that only trials of the front dominate."""
    front = {trial.number for trial in study.front()}
    rest = [trial for trial in study.ranked if trial.number not in front]
    if not rest:
        return []
    keep = non_dominated([study.losses(trial) for trial in rest])
    return [trial for trial, kept in zip(rest, keep, strict=True) if kept]


def bends(study: Study, trials: list[Trial]) -> list[float]:
    """How far each trial lies above the line between the ends of the front.

    Cost (on a log scale) and accuracy are scaled to the front's own ranges, so the distance is in
    0..1/sqrt(2) on it. A front of one or two points has no bend: all distances are 0, and ties go
    to the more accurate.
    """
    name = cost_axis(study)
    points = [(log10(max(cost_of(t, name), 1e-12)), accuracy(t)) for t in study.front()]
    (left, low), (right, high) = min(points), max(points)
    wide, tall = right - left, high - low
    if len(points) < 3 or wide <= 0 or tall <= 0:
        return [0.0] * len(trials)
    return [
        ((accuracy(t) - low) / tall - (log10(max(cost_of(t, name), 1e-12)) - left) / wide)
        / hypot(1, 1)
        for t in trials
    ]


def cost_axis(study: Study) -> str:
    """The cost that the report draws fronts over: the study's first cost objective, or FLOPs."""
    return next((name for name in study.settings.question.objectives if name in COSTS), "flops")

"""Which trial is best: by accuracy per cost, by accuracy, at the knee of the front.

Every formula stands in the docstring of the function that computes it, and `formula` has it as the
report prints it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import hypot, isfinite, log10

from neptune_nas.errors import OptionError, StudyError, one_of
from neptune_nas.metrics.trial import State, Trial
from neptune_nas.study.front import pareto_front, ranked_trials
from neptune_nas.study.measures import (
    COSTS,
    accuracy,
    cost_axis,
    cost_of,
    efficiency,
    efficiency_unit,
)
from neptune_nas.study.noise import Noise, accuracies, half_width, noise, tied_groups
from neptune_nas.study.settings import Question, Settings

WITHIN = 0.05  # of the best accuracy: without a floor the emptiest network is the most efficient
BY_COST = ("efficiency", *COSTS)  # what the floor is for
RANKINGS = ("efficiency", "accuracy", "knee", *COSTS)

FORMULAS = {
    "efficiency": "(accuracy - chance) / {unit}",
    "accuracy": "validation accuracy",
    "knee": "distance above the line between the ends of the front in (log cost, accuracy)",
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


def ranked_as(question: Question, by: str | None = None) -> str:
    """The ranking `by`, or without one that of the objectives: efficiency if one is a cost.

    Without a cost it is accuracy. Raises `OptionError` for an unknown ranking.
    """
    if by is None:
        return "accuracy" if {*question.objectives}.isdisjoint(COSTS) else "efficiency"
    if by not in RANKINGS:
        raise OptionError(f"ranking '{by}' is unknown: {one_of(RANKINGS, by)}")
    return by


def formula(question: Question, by: str) -> str:
    """What a study is ranked by, as the report prints it."""
    return FORMULAS[by].format(unit=efficiency_unit(question))


def ranking(
    settings: Settings,
    trials: Sequence[Trial],
    by: str | None = None,
    min_accuracy: float | None = None,
) -> tuple[Standing, ...]:
    """The trials of a study that were scored at its last rung, as `Study.ranking` says."""
    by = ranked_as(settings.question, by)
    ranked = ranked_trials(settings.question, trials)
    if not ranked:
        raise nothing_to_rank(settings, trials)
    kept = admitted(settings, ranked, by, min_accuracy)
    values = measure(settings, ranked, by, kept)
    kept, values = measured(settings.name, by, kept, values)
    sign = 1 if by in COSTS else -1
    order = sorted(
        range(len(kept)),
        key=lambda i: (sign * values[i], -accuracy(kept[i]), kept[i].cost.flops, i),
    )
    return standings([kept[i] for i in order], [values[i] for i in order], noise(ranked))


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
    half = half_width(standing.trial, spread)
    if half is None:
        return standing
    low, high = max(standing.accuracy - half, 0.0), min(standing.accuracy + half, 1.0)
    return replace(standing, low=low, high=high)


def nothing_to_rank(settings: Settings, trials: Sequence[Trial]) -> StudyError:
    """What to say of a study without a trial at its last rung."""
    states = Counter(trial.state for trial in trials)
    return StudyError(
        f"study '{settings.name}' has no trial to rank, none was scored at its last "
        f"rung ({settings.question.rungs[-1]}): {states[State.RUNNING]} running, "
        f"{states[State.PRUNED]} pruned, {states[State.FAILED]} failed; let the search run on, or "
        f"look into failures.txt."
    )


def admitted(
    settings: Settings, ranked: Sequence[Trial], by: str, min_accuracy: float | None
) -> list[Trial]:
    """The ranked trials that a ranking compares: those of the front, or not below the floor."""
    found = pareto_front(settings.question, ranked) if by == "knee" else ranked
    floor = accuracy_floor(ranked, min_accuracy) if by in BY_COST else (min_accuracy or 0.0)
    kept = [trial for trial in found if accuracy(trial) >= floor]
    if not kept:
        top = max(map(accuracy, found))
        raise StudyError(
            f"study '{settings.name}' has no trial with an accuracy of at least {floor:g}: "
            f"the best is {top:.4f}; lower `min_accuracy` (--min-accuracy)."
        )
    return kept


def accuracy_floor(ranked: Sequence[Trial], min_accuracy: float | None = None) -> float:
    """The least accuracy in a ranking by cost: `min_accuracy`, or 5 points below the best."""
    if min_accuracy is not None:
        return min_accuracy
    return max(map(accuracy, ranked), default=0.0) - WITHIN


def measured(
    name: str, by: str, trials: list[Trial], values: list[float]
) -> tuple[list[Trial], list[float]]:
    """The trials with a value, which all have whose costs are known; `name`: the study's."""
    kept = [(t, v) for t, v in zip(trials, values, strict=True) if isfinite(v)]
    if not kept and by != "latency":
        raise StudyError(
            f"study '{name}' cannot be ranked by {by}: no trial has all the costs that this takes."
        )
    if not kept:
        raise StudyError(
            f"study '{name}' measured no latencies to rank by: "
            f"search with accuracy,latency as `objectives` (--objectives)."
        )
    return [t for t, _ in kept], [v for _, v in kept]


def measure(
    settings: Settings, ranked: Sequence[Trial], by: str, trials: Sequence[Trial]
) -> list[float]:
    """What each of the `trials`, which are some of the ranked ones, is ranked by."""
    if by == "knee":
        return bends(settings.question, ranked, trials)
    measures: dict[str, Callable[[Trial], float]] = {
        "efficiency": partial(efficiency, settings),
        "accuracy": accuracy,
    }
    return [measures[by](t) if by in measures else cost_of(t, by) for t in trials]


def bends(question: Question, ranked: Sequence[Trial], trials: Sequence[Trial]) -> list[float]:
    """How far each trial lies above the line between the ends of the front.

    Cost (on a log scale) and accuracy are scaled to the front's own ranges, so the distance is in
    0..1/sqrt(2) on it. A front of one or two points has no bend: all distances are 0, and ties go
    to the more accurate.
    """
    name = cost_axis(question)
    front = pareto_front(question, ranked)
    points = [(log10(max(cost_of(t, name), 1e-12)), accuracy(t)) for t in front]
    (left, low), (right, high) = min(points), max(points)
    wide, tall = right - left, high - low
    if len(points) < 3 or wide <= 0 or tall <= 0:
        return [0.0] * len(trials)
    return [
        ((accuracy(t) - low) / tall - (log10(max(cost_of(t, name), 1e-12)) - left) / wide)
        / hypot(1, 1)
        for t in trials
    ]

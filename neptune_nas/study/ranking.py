"""Rankings of trials: by efficiency, by accuracy, by the knee of the front, or by a cost.

The docstring of each function states its formula, and `formula` returns it as the report prints it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot, inf, isfinite, log10, sqrt

from neptune_nas.errors import OptionError, StudyError, one_of
from neptune_nas.metrics.registry import COST, COSTS, IN_INT8, TIMED, metric
from neptune_nas.study.front import pareto_front, ranked_trials
from neptune_nas.study.measures import cost_axis, efficiency, efficiency_unit, main_score
from neptune_nas.study.noise import (
    LEAST,
    Noise,
    interval,
    noise,
    sampling_interval,
    seed_scores,
    tied_groups,
)
from neptune_nas.study.objectives import value_of
from neptune_nas.study.settings import Question, Settings
from neptune_nas.study.trial import State, Trial

_WITHIN = 0.05  # below the best accuracy, where its noise is not known
EFFICIENCY, KNEE = "efficiency", "knee"
COST_NAMES = tuple(cost.name for cost in COSTS)
TIMED_NAMES = tuple(cost.name for cost in TIMED)
BY_COST = (EFFICIENCY, *COST_NAMES)  # rankings with a floor


@dataclass(frozen=True, slots=True)
class Standing:
    """A trial with its place in a ranking, from 1.

    `value`: the number it is ranked by. `score`: mean over `seeds` seeds; `low` and `high`: its 95%
    interval where seeds were repeated. `group`: of statistically tied trials, where noise is known.
    """

    place: int
    trial: Trial
    value: float
    score: float
    seeds: int
    low: float | None = None
    high: float | None = None
    group: int | None = None


def rankings(question: Question) -> tuple[str, ...]:
    """Return the names of the rankings of a study."""
    return (EFFICIENCY, question.main.name, KNEE, *(cost.name for cost in COSTS))


def asked_ranking(question: Question, by: str) -> str:
    """Return a ranking's name, with int8 for a main metric where scores are in int8."""
    return question.main.name if IN_INT8.get(by) == question.main else by


def ranking_name(question: Question, by: str | None = None) -> str:
    """Return the ranking `by`, or the default: efficiency if an objective is a cost.

    Without a cost the default is the main score. Raises `OptionError` for an unknown ranking.
    """
    if by is None:
        return question.main.name if all(a.is_scored for a in question.aims) else EFFICIENCY
    by = asked_ranking(question, by)
    if by not in rankings(question):
        raise OptionError(f"ranking '{by}' is unknown: {one_of(rankings(question), by)}")
    return by


def formula(question: Question, by: str) -> str:
    """Return the formula of a ranking, as the report prints it."""
    title = question.main.title
    if by == EFFICIENCY:
        return f"({title} - chance) / {efficiency_unit(question)}"
    if by == KNEE:
        return f"distance above the line between the ends of the front in (log cost, {title})"
    if by == question.main.name:
        return f"validation {title}"
    cost = metric(by)
    return f"{cost.title}{f' in {cost.unit}' if cost.unit else ''}, least first"


def ranking(
    settings: Settings,
    trials: Sequence[Trial],
    by: str | None = None,
    min_accuracy: float | None = None,
) -> tuple[Standing, ...]:
    """Return the trials of a study that were scored at its last rung, best first.

    For `by`, `min_accuracy` and errors see `Study.ranking`.
    """
    by = ranking_name(settings.question, by)
    ranked = ranked_trials(settings.question, trials)
    if not ranked:
        raise no_ranking_error(settings, trials)
    kept = compared_trials(settings, ranked, by, min_accuracy)
    values = ranking_values(settings, ranked, by, kept)
    kept, values = with_values(settings.name, by, kept, values)
    sign = 1 if by in COST_NAMES else -1
    order = sorted(
        range(len(kept)),
        key=lambda i: (sign * values[i], -main_score(kept[i]), value_of(COST, kept[i]), i),
    )
    return standings([kept[i] for i in order], [values[i] for i in order], noise(ranked))


def standings(
    trials: list[Trial], values: list[float], spread: Noise | None
) -> tuple[Standing, ...]:
    """Return the ordered trials with places, intervals and tied groups."""
    counts = [len(seed_scores(trial)) for trial in trials]
    means = [main_score(trial) for trial in trials]
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
    """Return the standing with the interval of its accuracy, if its seeds were repeated."""
    low, high = interval(standing.trial, spread) or (None, None)
    return replace(standing, low=low, high=high)


def no_ranking_error(settings: Settings, trials: Sequence[Trial]) -> StudyError:
    """Return the error for a study without a trial at its last rung."""
    states = Counter(trial.state for trial in trials)
    return StudyError(
        f"study '{settings.name}' has no trial to rank: none was scored at its last "
        f"rung ({settings.question.rungs[-1]}): {states[State.RUNNING]} running, "
        f"{states[State.PRUNED]} pruned, {states[State.FAILED]} failed. Let the search run on, or "
        f"see failures.txt."
    )


def compared_trials(
    settings: Settings, ranked: Sequence[Trial], by: str, min_accuracy: float | None
) -> list[Trial]:
    """Return the trials that a ranking compares: those on the front, or those above the floor.

    Raises `StudyError` where none has the least accuracy.
    """
    found = pareto_front(settings.question, ranked) if by == KNEE else ranked
    floor = min_accuracy or 0.0
    if by in BY_COST and min_accuracy is None:
        floor = score_floor(settings, ranked).value
    kept = [trial for trial in found if main_score(trial) >= floor]
    if not kept:
        top = max(map(main_score, found))
        raise StudyError(
            f"study '{settings.name}' has no trial with {settings.question.main.title} of "
            f"at least {floor:g}: "
            f"the best is {top:.4f}; lower `min_accuracy` (--min-accuracy)."
        )
    return kept


@dataclass(frozen=True, slots=True)
class Floor:
    """The least main score in a ranking by cost, and why; without one, tiny networks would lead."""

    value: float
    why: str


def score_floor(settings: Settings, ranked: Sequence[Trial]) -> Floor:
    """Return the main score below which a trial is clearly worse than the best.

    That is where the 95% interval of the difference of two means of as many seeds as the best has
    ends, by the noise between seeds on the same validation images. While fewer than 6 degrees of
    freedom are known of that around the best, it lies as far below as the square root of two times
    the lower half of Wilson's interval of a score on so many images, as if the two scores were of
    different images; 5 points below where neither is known.
    """
    best = max(ranked, key=main_score, default=None)
    if best is None:
        return Floor(0.0, "")
    top, seeds, spread = main_score(best), len(seed_scores(best)), noise(ranked)
    worse = "not clearly worse than the best, given the noise"
    sampling = sampling_interval(settings, top)
    if spread is not None and (sampling is None or spread.freedom(top) >= LEAST):
        return Floor(top - spread.half_width((top, seeds), (top, seeds)), f"{worse} between seeds")
    if sampling is None:
        return Floor(top - _WITHIN, f"{100 * _WITHIN:g} points below the best")
    return Floor(top - sqrt(2) * (top - sampling[0]), f"{worse} of the validation images")


def with_values(
    name: str, by: str, trials: list[Trial], values: list[float]
) -> tuple[list[Trial], list[float]]:
    """Return the trials with a finite value, and the values; `name`: the study's.

    Raises `StudyError` where there are none.
    """
    kept = [(t, v) for t, v in zip(trials, values, strict=True) if isfinite(v)]
    if not kept and by not in TIMED_NAMES:
        raise StudyError(
            f"study '{name}' cannot be ranked by {by}: no trial has all the costs that this takes."
        )
    if not kept:
        raise StudyError(
            f"study '{name}' measured no {by} to rank by: name it among the `objectives` "
            f"(--objectives) of a search."
        )
    return [t for t, _ in kept], [v for _, v in kept]


def ranking_values(
    settings: Settings, ranked: Sequence[Trial], by: str, trials: Sequence[Trial]
) -> list[float]:
    """Return the value by which each of `trials`, a subset of the ranked ones, is ranked."""
    if by == KNEE:
        return knee_distances(settings.question, ranked, trials)
    if by == EFFICIENCY:
        return [efficiency(settings, trial) for trial in trials]
    if by == settings.question.main.name:
        return list(map(main_score, trials))
    return [value_of(metric(by), trial) for trial in trials]


def knee_distances(
    question: Question, ranked: Sequence[Trial], trials: Sequence[Trial]
) -> list[float]:
    """Return how far each trial lies above the line between the ends of the front.

    Cost (on a log scale) and accuracy are scaled to the ranges of the front, so that distances on
    it are in 0..1/sqrt(2). A front of one or two points has no knee: all distances are 0, and ties
    go to the more accurate.
    """
    cost = cost_axis(question)
    front = pareto_front(question, ranked)
    points = [(log10(max(value_of(cost, t), 1e-12)), main_score(t)) for t in front]
    (left, low), (right, high) = min(points), max(points)
    wide, tall = right - left, high - low
    if len(points) < 3 or not 0 < wide < inf or tall <= 0:
        return [0.0] * len(trials)
    return [
        ((main_score(t) - low) / tall - (log10(max(value_of(cost, t), 1e-12)) - left) / wide)
        / hypot(1, 1)
        for t in trials
    ]

"""The reference point of hypervolume: the score of guessing, and the largest cost allowed."""

from collections.abc import Callable, Container, Mapping
from functools import partial
from random import Random
from typing import Any, TypeVar

from neptune_nas.errors import OptionError
from neptune_nas.metrics.registry import COST, Metric
from neptune_nas.space import Space
from neptune_nas.study.settings import Question

T = TypeVar("T")

_SAMPLES = 500
_CLIMB = 500


def reference_point(
    space: Space[Any],
    question: Question,
    cost_of: Callable[[str, Any], float],
    guess: Mapping[str, float],
    slow: Container[str] = (),
) -> tuple[float, ...]:
    """Return one number per objective; `guess`: the score of guessing, by metric.

    For a cost it is the limit of a constraint, or else the largest cost in the space. For the
    `slow` metrics that search would take too long: it is 1.25 times the value of the network with
    the most FLOPs. Raises `OptionError` for a scored objective to minimise that has no guess.
    """
    limits = {limit.name: limit.limit for limit in question.limits}

    def corner(aim: Metric) -> float:
        if aim.is_scored:
            return _guessed(aim, guess)
        if aim.name in limits:
            return limits[aim.name]
        if aim.name in slow:
            return 1.25 * cost_of(aim.name, costliest(space, partial(cost_of, COST.name)))
        return cost_of(aim.name, costliest(space, partial(cost_of, aim.name)))

    return tuple(map(corner, question.aims))


def _guessed(aim: Metric, guess: Mapping[str, float]) -> float:
    if aim.name not in guess and aim.better == "less":
        raise OptionError(
            f"objective '{aim.name}' is minimised, but its value for guessing, from which "
            f"hypervolume is measured, is unknown: maximise its negative in 0..1 instead."
        )
    return guess.get(aim.name, 0.0)


def costliest(space: Space[T], cost_of: Callable[[T], float]) -> T:
    """Return the costliest architecture: of all in a small space, else one found by climbing.

    The climb starts at the costliest of 500 uniform samples and tries 500 random edits. The result
    suits as a corner for hypervolume, but is not a proven maximum.
    """
    if space.is_exact and space.size <= 4 * _SAMPLES:
        return max(space, key=cost_of)
    rng = Random(0)
    best = max((space.sample(rng) for _ in range(_SAMPLES)), key=cost_of)
    for _ in range(_CLIMB):
        other = space.mutate(best, rng)
        if cost_of(other) > cost_of(best):
            best = other
    return best

"""The corner that hypervolume is measured from: chance, and the largest cost admitted."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from neptune_nas.constraints import Constraint
from neptune_nas.space import Space
from neptune_nas.study.objectives import SCORED, worst_score

SAMPLES = 500
CLIMB = 500


def reference_point(
    space: Space[Any],
    objectives: Sequence[str],
    constraints: Sequence[Constraint],
    cost_of: Callable[[str, Any], float],
    guess: tuple[int, float],
) -> tuple[float, ...]:
    """One number an objective; `guess` is the number of classes and the accuracy of chance.

    A cost's is the limit of a constraint on it, or else the largest in the space.
    """
    limits = {c.name: c.limit for c in constraints if c.op in ("<", "<=")}
    return tuple(
        worst_score(name, *guess)
        if name in SCORED
        else limits[name]
        if name in limits
        else largest(space, lambda architecture, name=name: cost_of(name, architecture))  # type: ignore[misc]  # mypy infers no lambda with a default
        for name in objectives
    )


def largest(space: Space[Any], cost_of: Callable[[Any], float]) -> float:
    """The largest cost in a space: of all points of a small one, else found by climbing.

    The climb starts at the costliest of 500 uniform samples and tries 500 random edits; it finds a
    corner that hypervolume can be measured from, not a proven maximum.
    """
    if space.is_exact and space.size <= 4 * SAMPLES:
        return max(map(cost_of, space))
    rng = Random(0)
    best = max((space.sample(rng) for _ in range(SAMPLES)), key=cost_of)
    most = cost_of(best)
    for _ in range(CLIMB):
        other = space.mutate(best, rng)
        if (cost := cost_of(other)) > most:
            best, most = other, cost
    return most

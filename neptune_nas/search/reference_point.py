"""The corner that hypervolume is measured from: chance, and the largest cost admitted."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar

from neptune_nas.metrics.constraints import Constraint
from neptune_nas.space import Space

T = TypeVar("T")

SAMPLES = 500
CLIMB = 500


def reference_point(
    space: Space[Any],
    objectives: Sequence[str],
    constraints: Sequence[Constraint],
    cost_of: Callable[[str, Any], float],
    chance: Mapping[str, float],
    *,
    is_timed: bool = True,
) -> tuple[float, ...]:
    """One number an objective; `chance` is what guessing scores, by metric.

    A cost's is the limit of a constraint on it, or else the largest in the space. Where latency
    `is_timed`, that would take too long: a quarter more than that of the network with the most
    MACs.
    """
    limits = {c.name: c.limit for c in constraints}

    def corner(name: str) -> float:
        if name in chance:
            return chance[name]
        if name in limits:
            return limits[name]
        if name == "latency" and is_timed:
            return 1.25 * cost_of(name, costliest(space, partial(cost_of, "macs")))
        return cost_of(name, costliest(space, partial(cost_of, name)))

    return tuple(map(corner, objectives))


def costliest(space: Space[T], cost_of: Callable[[T], float]) -> T:
    """The architecture that costs most: of all points of a small space, else found by climbing.

    The climb starts at the costliest of 500 uniform samples and tries 500 random edits; it finds a
    corner that hypervolume can be measured from, not a proven maximum.
    """
    if space.is_exact and space.size <= 4 * SAMPLES:
        return max(space, key=cost_of)
    rng = Random(0)
    best = max((space.sample(rng) for _ in range(SAMPLES)), key=cost_of)
    for _ in range(CLIMB):
        other = space.mutate(best, rng)
        if cost_of(other) > cost_of(best):
            best = other
    return best

"""The share of a space that satisfies limits, and an architecture that does, however few do."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, log1p
from random import Random
from typing import Generic, Literal, Protocol, TypeVar

from neptune_nas.errors import ArchitectureError, OptionError
from neptune_nas.metrics.constraints import Constraint
from neptune_nas.metrics.registry import COST, TIMED
from neptune_nas.space.space import wilson

T = TypeVar("T")

COUNTED, MEASURED = 1_000, 50  # default samples of a survey; the latter where a cost is slow
_TIMED = frozenset(each.name for each in TIMED)
_RARE = 200  # draws for one feasible architecture, beyond which walks are faster
_STUCK = 200  # moves in a row that lower no cost before the walk downhill ends
_LEAST = 1e-12  # the gap of a cost that equals its limit where it must be less


class _Space(Protocol[T]):
    """The part of a space that a survey uses."""

    @property
    def name(self) -> str:
        """The name of the space, for messages."""

    def sample(self, rng: Random, by: Literal["architecture", "choice"] = ...) -> T:
        """Return a random architecture, uniform over all architectures or over each choice."""

    def mutations(self, architecture: T, rng: Random) -> Iterator[T]:
        """Yield random neighbors without end."""


@dataclass(frozen=True, slots=True)
class Survey(Generic[T]):
    """The share of a space that satisfies constraints, estimated from `samples` uniform samples.

    `interval`: 95% interval of the feasible share (Wilson, doi 10.1080/01621459.1927.10502953).
    `smallest`: the least value seen of each constrained cost. `needed`: the constrained costs of
    each architecture seen, where none is feasible. `example`: a feasible architecture; where no
    sample was feasible, one found by moves downhill in cost. `unbuildable`: why the last
    architecture without any cost has none.
    """

    space: str
    constraints: tuple[Constraint, ...]
    samples: int
    feasible: int
    smallest: dict[str, float]
    example: T | None
    unbuildable: str = ""
    needed: tuple[Mapping[str, float], ...] = ()

    @property
    def share(self) -> float:
        """The feasible share of the samples."""
        return self.feasible / self.samples

    @property
    def is_rare(self) -> bool:
        """True if hardly any draw is feasible: fewer than 1 in 200."""
        return self.feasible * _RARE < self.samples

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the feasible share of the whole space."""
        return wilson(self.feasible, self.samples)

    def require_example(self, images: str = "", remedy: str = "") -> T:
        """Return a feasible architecture; raises `OptionError` if none was found.

        `images`: what costs are counted on; `remedy`: a further remedy; both are for the message.
        """
        if self.example is not None:
            return self.example
        wanted = " and ".join(map(str, self.constraints)) or "being buildable"
        limits = {limit.name: limit for limit in self.constraints}
        seen = ", ".join(
            f"{n} {limits[n].text(value)}" for n, value in self.smallest.items() if n in limits
        )
        raise OptionError(
            f"space '{self.space}': none of {self.samples:,} random architectures meets {wanted}, "
            f"so at most {self.interval[1]:.2%} of the space does; the smallest seen"
            f"{images and f' on {images}'}: {seen or 'nothing, as ' + self.unbuildable}; loosen "
            f"the constraints or take another space{remedy and f', or {remedy}'}."
        )


def survey(
    space: _Space[T],
    value: Callable[[str, T], float],
    constraints: Sequence[Constraint],
    rng: Random,
    samples: int | None = None,
    slow: Collection[str] = _TIMED,
    needed: Collection[str] = (COST.name,),
    note: Callable[[int, int], object] = lambda *_: None,
) -> Survey[T]:
    """Estimate the share of a space that satisfies all constraints, and find an example.

    `value` returns the cost of the given name. `slow`: costs that take long to find; they are found
    last, and only where all other limits hold. `needed`: costs that an architecture must have,
    limited or not. `samples`: 1,000 by default, or 50 where a slow cost is limited. If no sample is
    feasible, a tenth as many are drawn uniformly at each choice, which gives smaller architectures,
    and random moves lead downhill from the one nearest to the limits.
    An architecture whose cost cannot be counted (its images are too small) is infeasible; an error
    in the user's code is raised. `note` is called with the number of samples checked so far, and
    the total.
    """
    ordered = tuple(sorted(constraints, key=lambda limit: limit.name in slow))
    measured = any(limit.name in slow for limit in ordered)
    number = samples or (MEASURED if measured else COUNTED)
    seen: _Seen[T] = _Seen(value, ordered, slow, needed)
    feasible = 0
    for count in range(1, number + 1):
        feasible += seen.gap(space.sample(rng)) == 0
        note(count, number)
    for _ in range(0 if feasible else number // 10):
        seen.gap(space.sample(rng, by="choice"))
    if seen.least:
        _walk_downhill(space, seen, rng, MEASURED if measured else _STUCK)
    example = None if seen.least else seen.nearest
    return Survey(
        space.name,
        ordered,
        number,
        feasible,
        seen.smallest,
        example,
        seen.unbuildable,
        tuple(seen.costs) if example is None else (),
    )


def _walk_downhill(space: _Space[T], seen: "_Seen[T]", rng: Random, patience: int) -> None:
    """Move to architectures nearer to the limits, until one meets them or `patience` runs out."""
    assert seen.nearest is not None
    stuck, least, near = 0, seen.least, space.mutations(seen.nearest, rng)
    while seen.least and stuck < patience:
        other = next(near, None)
        if other is None:
            return
        gap = seen.gap(other)
        stuck = 0 if gap < least else stuck + 1
        if gap <= least:
            least, near = gap, space.mutations(other, rng)


@dataclass(slots=True)
class _Seen(Generic[T]):
    """A record of the architectures checked so far.

    `needed`: costs without which an architecture is infeasible, whatever they are. `smallest`: the
    least value of each cost. `costs`: the costs of each architecture. `nearest`: the first of those
    with the `least` gap.
    """

    value: Callable[[str, T], float]
    constraints: tuple[Constraint, ...]
    slow: Collection[str]
    needed: Collection[str]
    smallest: dict[str, float] = field(init=False, default_factory=dict)
    costs: list[Mapping[str, float]] = field(init=False, default_factory=list)
    unbuildable: str = field(init=False, default="")
    nearest: T | None = field(init=False, default=None)
    least: float = field(init=False, default=inf)

    def gap(self, architecture: T) -> float:
        """Return how far an architecture is from satisfying all constraints; 0 if it does.

        That is the sum of the logarithms by which costs exceed their limits; infinite for an
        architecture that cannot be built.
        """
        gap = self._gap(architecture)
        if gap < self.least or self.nearest is None:
            self.nearest, self.least = architecture, gap
        return gap

    def _gap(self, architecture: T) -> float:
        try:
            for name in self.needed:
                self.value(name, architecture)
            return self._sum_of_gaps(architecture)
        except ArchitectureError as error:
            self.unbuildable = str(error).rstrip(".")
            return inf

    def _sum_of_gaps(self, architecture: T) -> float:
        gap = 0.0
        costs: dict[str, float] = {}
        self.costs.append(costs)
        for limit in self.constraints:
            if limit.name in self.slow and gap:
                break
            cost = costs[limit.name] = self.value(limit.name, architecture)
            self.smallest[limit.name] = min(cost, self.smallest.get(limit.name, cost))
            if not limit.holds(cost):
                gap += max(_LEAST, log1p(max(cost, 0.0)) - log1p(limit.limit))
        return gap

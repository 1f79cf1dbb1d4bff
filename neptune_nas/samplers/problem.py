"""The problem that a sampler solves: a space, objectives, and what is known before training."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any, Generic, TypeVar

from neptune_nas.architecture.codec import key
from neptune_nas.errors import NeptuneError, SpaceError
from neptune_nas.metrics.registry import BY_NAME, CLASSIFICATION
from neptune_nas.space import Space

T = TypeVar("T")
Costs = Callable[[Any], Mapping[str, float]]

ENUMERABLE = 200_000  # the most points that are listed to find the unseen ones
LISTED = 20_000  # the most points of a space whose feasible ones are listed rather than walked
QUICK_DRAWS = 100  # draws before a small space is listed
DRAWS = 10_000  # draws before a large space counts as exhausted
WALKED = 50  # architectures of a walk before it is given up
_APART = 50  # moves between two of them, so that they differ in much
_STARTS = 1_000  # places where walks begin, one after the other
_STEP = 10  # moves between two of them


class SpaceExhaustedError(NeptuneError):
    """Raised if no architecture is both unseen and feasible: the search is over."""


@dataclass(frozen=True)
class Problem(Generic[T]):
    """A space to be searched.

    `objectives`: their names, in the order of the study's directions. `cost`: exact values by name
    (FLOPs, say), known before training. `feasible`: which architectures may be trained, judged
    without measuring. `keeps`: which of these meet the limits on measured quantities (latency,
    say); it is slow, so it is called only for architectures about to be proposed. `name`: equal for
    architectures of which only one should be tried. All four must depend on nothing but their
    argument. `limited`: the objectives that have a limit, below which the best score counts for
    more. `find_rare`: returns a feasible architecture of a space where draws hardly find any,
    to start walks among the feasible ones from; None where draws will do.
    """

    space: Space[T]
    objectives: tuple[str, ...] = (CLASSIFICATION[0].name,)
    cost: Costs | None = None
    feasible: Callable[[T], bool] | None = None
    name: Callable[[T], str] = key
    seed: int = 0
    keeps: Callable[[T], bool] | None = None
    limited: frozenset[str] = frozenset()
    find_rare: Callable[[], T | None] | None = None

    def admits(self, architecture: T) -> bool:
        """Return whether an architecture may be trained."""
        return self.fits(architecture) and (self.keeps is None or self.keeps(architecture))

    def fits(self, architecture: T) -> bool:
        """Return whether an architecture may be trained, as far as is known without measuring."""
        return self.feasible is None or self.feasible(architecture)

    @cached_property
    def unmeasured(self) -> "Problem[T]":
        """The same problem without the limits on measured quantities."""
        return self if self.keeps is None else replace(self, keeps=None)

    def costs(self, architecture: T) -> Mapping[str, float]:
        """Return the exact costs of an architecture, known before it is trained."""
        return {} if self.cost is None else self.cost(architecture)

    @property
    def scored(self) -> str:
        """The objective that rungs report: the first one that training decides."""
        return next(filter(is_scored, self.objectives), CLASSIFICATION[0].name)

    @cached_property
    def points(self) -> dict[str, T] | None:
        """All architectures that fit, by name, or None if there are more than 200,000."""
        if not self.space.is_exact or self.space.size > ENUMERABLE:
            return None
        points = (self.space[i] for i in reversed(range(self.space.size)))
        return {self.name(point): point for point in points if self.fits(point)}

    @cached_property
    def rare(self) -> T | None:
        """A feasible architecture of a large space where draws hardly find any, else None."""
        is_listed = self.space.is_exact and self.space.size <= LISTED
        return None if self.find_rare is None or is_listed else self.find_rare()

    def walk(self, start: T, rng: Random, apart: int) -> Iterator[T]:
        """Yield architectures that fit, `apart` random moves from each other, from `start` on.

        They are not uniform: a move is drawn as `Space.mutate` draws it, which removes a part as
        readily as it adds one of many, so small networks come more often than they are.
        """
        here, near = start, self.space.mutations(start, rng)
        while True:
            for _ in range(apart):
                other = next(near, here)
                if self.fits(other):
                    here, near = other, self.space.mutations(other, rng)
            yield here

    def fresh(self, seen: Mapping[str, object], draw: Callable[[], T], draws: int) -> T | None:
        """Return the first of some draws that is feasible and unseen, or None."""
        for _ in range(draws):
            drawn = draw()
            if self.name(drawn) not in seen and self.admits(drawn):
                return drawn
        return None

    def random(self, seen: Mapping[str, object], rng: Random) -> T:
        """Return an architecture, uniform over all that are feasible and unseen.

        In a large space of which hardly any is feasible, it comes from a walk among those that are,
        which is not uniform (see `walk`). Raises `SpaceExhaustedError` if there is none, or if
        10,000 draws from a large space, or 2,500 moves, find none.
        """
        if self.rare is not None:
            walk = self.walk(self._start(self.rare, len(seen)), rng, _APART)
            drawn = self.fresh(seen, walk.__next__, WALKED)
        else:
            drawn = self.fresh(seen, lambda: self.space.sample(rng), QUICK_DRAWS)
        if drawn is not None:
            return drawn
        if self.points is not None:
            left = [point for name, point in self.points.items() if name not in seen]
            drawn = self._any_of(left, rng)
        elif self.rare is None:
            drawn = self.fresh(seen, lambda: self.space.sample(rng), DRAWS)
        if drawn is None:
            state = "seems" if self.points is None else "is"
            raise SpaceExhaustedError(
                f"space '{self.space.name}' {state} exhausted: {self._why(len(seen))}, or stop."
            )
        return drawn

    def _start(self, rare: T, tried: int) -> T:
        """Return where a walk begins: on one path from `rare` on, the further the more is tried.

        It depends on their number alone, and not on which of them ended first.
        """
        places = self._places
        for i in range(len(places), tried % _STARTS + 1):
            before = places[i - 1] if i else rare
            places[i] = next(self.walk(before, Random(f"{self.seed}/start/{i}"), _STEP if i else 0))
        return places[tried % _STARTS]

    @cached_property
    def _places(self) -> dict[int, T]:
        """The starts of walks so far, which are remembered to save time."""
        return {}

    def _any_of(self, left: list[T], rng: Random) -> T | None:
        """Return one of `left`, uniform over those that may be trained, or None."""
        while left:
            drawn = left.pop(rng.randrange(len(left)))
            if self.admits(drawn):
                return drawn
        return None

    def _why(self, tried: int) -> str:
        """Return why no architecture remains, and what would change that."""
        of = "its architectures"
        if self.points is None:
            of = f"{DRAWS:,} draws" if self.rare is None else f"{WALKED * _APART:,} moves"
        if self.feasible is None and self.keeps is None:
            return f"none of {of} is new after {tried:,} trials; search a larger one"
        return (
            f"none of {of} is both feasible and new after {tried:,} trials; loosen the constraints"
        )


def is_scored(objective: str) -> bool:
    """Return whether training decides an objective; one outside the table is an evaluator's own."""
    return objective not in BY_NAME or BY_NAME[objective].is_scored


def with_edits(problem: Problem[T], parent: T, edits: int, rng: Random) -> T:
    """Return `parent` after some random edits; itself if rules leave it no neighbor."""
    try:
        for _ in range(edits):
            parent = problem.space.mutate(parent, rng)
    except SpaceError:
        pass  # the rules leave it no neighbor
    return parent

"""A search space: an architecture with some fields left open."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import chain, islice
from math import ceil, floor
from random import Random
from typing import Any, Generic, Literal, Protocol, TypeVar

from neptune_nas.architecture.fields import is_same
from neptune_nas.errors import SpaceError
from neptune_nas.space import moves, walk
from neptune_nas.space.compiler import Compiler, Label
from neptune_nas.space.explain import explain
from neptune_nas.space.nodes import FREE, Node, Place, RejectedError, total
from neptune_nas.space.outline import outline, rule_text
from neptune_nas.space.rules import Filtered, Rule, obeys_all
from neptune_nas.space.walk import Decision, Picks

T = TypeVar("T")

_ENUMERABLE = 200_000  # the most points for which a global rule is tried one by one
_ESTIMATE_SAMPLES = 10_000
_ATTEMPTS = 10_000  # draws before giving up on a rule that leaves (nearly) nothing
_MIXTURES = 100  # random moves or crossovers before the fallback


class _SuggestTrial(Protocol):
    """The part of an Optuna trial that `Space.suggest` uses."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return one of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Return a whole number of a range."""


@dataclass(frozen=True, slots=True)
class Count:
    """The number of architectures in a space: exact, or an estimate with its 95% interval."""

    value: int
    low: int
    high: int

    @property
    def is_exact(self) -> bool:
        """True if the count is exact."""
        return self.low == self.high


@dataclass(frozen=True)
class Space(Generic[T]):
    """All architectures that a template stands for, numbered from 0.

    `where` is a rule on whole architectures. If the template has at most 200,000 points, the rule
    is asked about each, and everything stays exact. Beyond that, `count` is an estimate, and what
    needs exact numbers (`size`, `space[i]`, `index`) raises `SpaceError`.

    Raises `SpaceError`, naming the path, for a template that has two options for one value, a rule
    that leaves nothing, or a combination of fields that a record refuses.

    Examples:
        >>> from neptune_nas.architecture.records import Architecture, Stage
        >>> from neptune_nas.space import choice
        >>> space = Space("two", Architecture(stages=(Stage(width=choice(16, 32)),)))
        >>> space.size, space[1].stages[0].width, space.index(space[1])
        (2, 32, 1)

    """

    name: str
    template: T
    where: Rule | None = None
    description: str = ""

    def __post_init__(self) -> None:
        _ = self.free.counts  # refuses a bad template here rather than at its first use

    @cached_property
    def free(self) -> Node:
        """The compiled template, without the global rule."""
        return Compiler(self.name).compile(self.template)

    @cached_property
    def root(self) -> Node:
        """The compiled template, with the global rule if the space is small enough to enumerate."""
        if self.where is None or total(self.free) > _ENUMERABLE:
            return self.free
        return Filtered(self.free, (self.where,), f"space '{self.name}'")

    @cached_property
    def is_exact(self) -> bool:
        """True if the space can be counted and numbered exactly."""
        return self.where is None or isinstance(self.root, Filtered)

    @cached_property
    def size(self) -> int:
        """The exact number of architectures, of any magnitude."""
        self._require_exact("size")
        return total(self.root)

    def count(self) -> Count:
        """Return the number of architectures; under a global rule on a large space, an estimate.

        The estimate asks the rule about 10,000 uniform points; its interval is Wilson's
        (doi 10.1080/01621459.1927.10502953).
        """
        if self.is_exact:
            return Count(self.size, self.size, self.size)
        everything, rng = total(self.free), Random(0)
        hits = sum(self._obeys(moves.draw(self.free, rng)) for _ in range(_ESTIMATE_SAMPLES))
        low, high = wilson(hits, _ESTIMATE_SAMPLES)
        value = everything * hits // _ESTIMATE_SAMPLES
        return Count(value, floor(everything * Fraction(low)), ceil(everything * Fraction(high)))

    def __getitem__(self, index: int) -> T:
        if not 0 <= index < self.size:
            raise IndexError(
                f"space '{self.name}' needs an index in 0..{self.size - 1}, not {index}."
            )
        for given, count in self.root.counts.items():
            if index < count:
                value: T = self.root.unrank(given, index)
                return value
            index -= count
        raise AssertionError("the counts add up to the size")

    def __iter__(self) -> Iterator[T]:
        self._require_exact("iteration")
        return moves.all_values(self.root)

    def __contains__(self, architecture: object) -> bool:
        return self._place(architecture) is not None

    def index(self, architecture: T) -> int:
        """Return the number of `architecture`: `space[space.index(a)] == a`.

        Raises `SpaceError`, naming the first path that differs, if it is not in the space.
        """
        self._require_exact("index")
        given, number = self._require(architecture)
        before = 0
        for other, count in self.root.counts.items():
            if other == given:
                break
            before += count
        return before + number

    def sample(self, rng: Random, by: Literal["architecture", "choice"] = "architecture") -> T:
        """Return a random architecture, uniform over all, or by="choice" uniform at each choice.

        The latter over-samples shallow networks: a depth of 1 is drawn as often as a depth of 3.
        Raises `SpaceError` if the space's rules leave next to nothing.
        """
        for _ in range(_ATTEMPTS):
            try:
                value: T = (
                    moves.draw(self.root, rng)
                    if by == "architecture"
                    else walk.decide(self.free, lambda d: rng.choice(d.options))
                )
            except RejectedError:
                continue
            if self._obeys(value):
                return value
        raise SpaceError(
            f"space '{self.name}': {_ATTEMPTS:,} random architectures broke its rules, none "
            f"obeyed: loosen them."
        )

    def explain(self, architecture: object) -> str | None:
        """Return why `architecture` is not in the space (the first path that differs), or None."""
        if self._place(architecture) is not None:
            return None
        return explain(self.free, architecture) or "it breaks the rule of the space"

    def suggest(self, trial: _SuggestTrial) -> T:
        """Return the architecture that an Optuna trial picks; parameter names are paths.

        Raises `RejectedError` if a rule of the space forbids it.
        """

        def choose(decision: Decision) -> Label:
            options = decision.options
            if isinstance(options, range):
                return trial.suggest_int(decision.path, options[0], options[-1], step=options.step)
            picked: Label = trial.suggest_categorical(decision.path, options)
            return picked

        return self._ruled(walk.decide(self.free, choose))

    def decode(self, picks: Mapping[str, Label]) -> T:
        """Return the architecture with these picks, one for each open field on its way.

        Raises `SpaceError` for a pick that is missing, unknown, or none of the options.
        """
        used: set[str] = set()

        def choose(decision: Decision) -> Label:
            used.add(decision.path)
            if decision.path not in picks:
                raise SpaceError(f"{self._subject(decision)}, but got no pick for it.")
            got = picks[decision.path]
            for option in decision.options:
                if type(option) is type(got) and option == got:
                    return option
            raise SpaceError(f"{self._subject(decision)}, but got {got!r}.")

        value = walk.decide(self.free, choose)
        for path in picks:
            if path not in used:
                raise SpaceError(
                    f"space '{self.name}': `{path}` is not an open field here: remove it."
                )
        return self._ruled(value)

    def picks(self, architecture: T) -> Picks:
        """Return the pick at each open field, by path: the inverse of `decode`."""
        self._require(architecture)
        return walk.picks(self.free, architecture)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Every possible decision, in the order of the template."""
        return tuple({d.path: d for d in walk.decisions(self.free)}.values())

    def encode(self, architecture: T) -> tuple[float, ...]:
        """Return numbers for a surrogate model: each decision's pick in 0..1, or -1 if not taken.

        Labels are spread evenly in their order; ranges by value.
        """
        taken = self.picks(architecture)
        return tuple(
            d.options.index(taken[d.path]) / max(len(d.options) - 1, 1) if d.path in taken else -1.0
            for d in self.decisions
        )

    def neighbors(self, architecture: T) -> Iterator[T]:
        """Yield all architectures at edit distance one, a changed depth included, each once."""
        seen = {self._require(architecture)}
        for move in self._moves(architecture):
            for value in move.every():
                place = self._place(value)
                if place is not None and place not in seen:
                    seen.add(place)
                    yield value

    def mutate(self, architecture: T, rng: Random) -> T:
        """Return a random neighbor: first the place is drawn uniformly, then the change.

        If rules forbid 100 changes in a row, one of the first 100 neighbors. Raises `SpaceError`
        for an architecture without neighbors.
        """
        for value in self.mutations(architecture, rng):
            return value
        raise SpaceError(f"space '{self.name}' has nothing one edit from {architecture!r}.")

    def mutations(self, architecture: T, rng: Random) -> Iterator[T]:
        """Yield random neighbors as `mutate` draws them, without end; nothing if there are none."""
        self._require(architecture)
        places = list(self._moves(architecture))
        while True:
            for _ in range(_MIXTURES if places else 0):
                try:
                    value: T = rng.choice(places).draw(rng)
                except RejectedError:
                    continue
                if value in self:
                    yield value
                    break
            else:
                near = list(islice(self.neighbors(architecture), _MIXTURES))
                if not near:
                    return
                yield rng.choice(near)

    def crossover(self, a: T, b: T, rng: Random) -> T:
        """Return an architecture of the space that takes each decision from `a` or from `b`.

        If rules forbid 100 mixtures in a row, one of the two.
        """
        parents = [
            moves.tie_decisions(self.free, parent) for parent in (a, b) if self._require(parent)
        ]
        for _ in range(_MIXTURES):
            ties = {
                name: rng.choice([ties[name][1] for ties in parents if name in ties])
                for name in parents[0] | parents[1]
            }
            try:
                child: T = moves.cross(self.free, a, b, ties, rng)
            except RejectedError:
                continue
            if child in self:
                return child
        return rng.choice((a, b))

    def distance(self, a: T, b: T) -> int:
        """Return the number of edits from `a` to `b` (see `neptune_nas.space.moves`).

        It is a metric as long as every architecture uses every tie: the triangle inequality may
        fail around an architecture that lacks the ties in which two others differ.
        """
        ours, theirs = (
            moves.tie_decisions(self.free, value) for value in (a, b) if self._require(value)
        )
        ties = sum(not is_same(ours[name][1], theirs[name][1]) for name in ours.keys() & theirs)
        return moves.distance(self.free, a, b) + ties

    @cached_property
    def outline(self) -> dict[str, str]:
        """The possible values at each path of the template, decided fields and rules included.

        A rule is identified by what it keeps; a global one on a large space by its source.
        """
        lines = dict(outline(self.root))
        if self.where is not None and not self.is_exact:
            lines["?"] = f"a rule {rule_text(self.where)}"
        return lines

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change whenever the space does."""
        return hashlib.sha256(json.dumps(self.outline).encode()).hexdigest()[:16]

    def _moves(self, architecture: T) -> Iterator[moves.Move]:
        if not any(self.free.counts):  # without ties
            return moves.moves(self.free, architecture, FREE)
        place = self.free.rank(architecture)
        assert place is not None
        return chain(
            moves.moves(self.free, architecture, place[0]),
            moves.moves_of_ties(self.free, architecture),
        )

    def _place(self, architecture: object) -> Place | None:
        place = self.root.rank(architecture)
        known = place is not None and (self.is_exact or self._obeys(architecture))
        return place if known else None

    def _require(self, architecture: T) -> Place:
        place = self._place(architecture)
        if place is None:
            raise SpaceError(
                f"space '{self.name}' has no such architecture: {self.explain(architecture)}."
            )
        return place

    def _obeys(self, value: Any) -> bool:
        return self.where is None or obeys_all((self.where,), value, f"space '{self.name}'")

    def _ruled(self, value: T) -> T:
        if not self._obeys(value):
            raise RejectedError(f"space '{self.name}': its rule forbids {value!r}.")
        return value

    def _subject(self, decision: Decision) -> str:
        options = decision.options
        listed = ", ".join(map(repr, options)) if len(options) <= 12 else repr(options)
        return f"space '{self.name}': `{decision.path}` needs one of {listed}"

    def _require_exact(self, what: str) -> None:
        if not self.is_exact:
            raise SpaceError(
                f"space '{self.name}': `{what}` must check the global rule on every point of the "
                f"template, but there are more than {_ENUMERABLE:,}: use `count` and "
                f"`sample`, or local rules (`where` on a record), which stay exact."
            )


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95% interval for a share of which `hits` of `n` were seen."""
    from scipy.stats import binomtest  # only estimates need it, and its import takes a second

    interval = binomtest(hits, n).proportion_ci(method="wilson")
    # With no hits or only hits, one end is the share itself; rounding could miss it.
    return float(interval.low) if hits else 0.0, float(interval.high) if hits < n else 1.0

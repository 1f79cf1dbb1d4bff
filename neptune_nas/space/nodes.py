"""The nodes of a compiled template, which count, rank and unrank its values.

Ties make the count of a node depend on decisions taken elsewhere. So every node counts its values
by *assignment*, the tied decisions they take: a frozen set of `(tie, index)` pairs, empty in a
space without ties. Within one assignment the values are numbered from 0; `unrank` and `rank` are
inverses of each other. All numbers are exact Python integers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from neptune_nas.architecture.fields import same
from neptune_nas.errors import NeptuneError, SpaceError

Assignment = frozenset[tuple[str, int]]
Counts = Mapping[Assignment, int]
Place = tuple[Assignment, int]
FREE: Assignment = frozenset()
ENUMERABLE = 1_000_000


class RejectedError(NeptuneError):
    """Raised for picks that a rule of the space forbids."""


class Node(Protocol):
    """The values that one part of a template stands for."""

    @property
    def counts(self) -> Counts:
        """The number of values for each assignment that has any."""

    def unrank(self, given: Assignment, index: int) -> Any:
        """Return value number `index`, 0 <= index < counts[given]."""

    def rank(self, value: Any) -> Place | None:
        """Return the assignment and number of `value`, or None if this node lacks it."""

    def each(self, given: Assignment) -> Iterator[Any]:
        """Yield all values of an assignment, in the order of their numbers."""


@dataclass(frozen=True)
class Fixed:
    """A field that is already decided."""

    value: Any
    counts: Counts = field(default_factory=lambda: {FREE: 1})

    def unrank(self, given: Assignment, index: int) -> Any:  # noqa: ARG002 - a node's signature
        return self.value

    def rank(self, value: Any) -> Place | None:
        return (FREE, 0) if same(value, self.value) else None

    def each(self, given: Assignment) -> Iterator[Any]:  # noqa: ARG002 - a node's signature
        yield self.value


@dataclass(frozen=True)
class Numbers:
    """A whole number from a range."""

    values: range

    @cached_property
    def counts(self) -> Counts:
        return {FREE: len(self.values)}

    def unrank(self, given: Assignment, index: int) -> Any:  # noqa: ARG002 - a node's signature
        return self.values[index]

    def rank(self, value: Any) -> Place | None:
        known = type(value) is int and value in self.values
        return (FREE, self.values.index(value)) if known else None

    def each(self, given: Assignment) -> Iterator[Any]:  # noqa: ARG002 - a node's signature
        return iter(self.values)


@dataclass(frozen=True)
class Either:
    """A choice among disjoint nodes, each with a `label` of its own."""

    options: tuple[Node, ...]
    labels: tuple[Any, ...]

    @cached_property
    def counts(self) -> Counts:
        counts: dict[Assignment, int] = {}
        for option in self.options:
            for given, count in option.counts.items():
                counts[given] = counts.get(given, 0) + count
        return counts

    def unrank(self, given: Assignment, index: int) -> Any:
        for option in self.options:
            count = option.counts.get(given, 0)
            if index < count:
                return option.unrank(given, index)
            index -= count
        raise AssertionError("index beyond the node's count")

    def rank(self, value: Any) -> Place | None:
        for k, option in enumerate(self.options):
            if (place := option.rank(value)) is not None:
                given, index = place
                before = (other.counts.get(given, 0) for other in self.options[:k])
                return given, sum(before) + index
        return None

    def each(self, given: Assignment) -> Iterator[Any]:
        for option in self.options:
            if given in option.counts:
                yield from option.each(given)

    def option_of(self, value: Any) -> int:
        """Return the index of the option that has `value`, a value of this node."""
        return next(k for k, o in enumerate(self.options) if o.rank(value) is not None)


@dataclass(frozen=True)
class Tied:
    """A node without inner ties whose value is decided once for all places that use its name."""

    name: str
    inner: Node

    @cached_property
    def counts(self) -> Counts:
        size = self.inner.counts[FREE]
        require_few(size, f"tie '{self.name}'", "values")
        return {frozenset({(self.name, i)}): 1 for i in range(size)}

    def unrank(self, given: Assignment, index: int) -> Any:  # noqa: ARG002 - a node's signature
        ((_, decided),) = given
        return self.inner.unrank(FREE, decided)

    def rank(self, value: Any) -> Place | None:
        place = self.inner.rank(value)
        return None if place is None else (frozenset({(self.name, place[1])}), 0)

    def each(self, given: Assignment) -> Iterator[Any]:
        yield self.unrank(given, 0)


def merge(first: Assignment, second: Assignment) -> Assignment | None:
    """Return the union of two assignments, or None if they contradict each other."""
    if not first or not second:
        return first or second
    both = first | second
    return both if len({name for name, _ in both}) == len(both) else None


def total(node: Node) -> int:
    """Return the number of all values of a node."""
    return sum(node.counts.values())


def require_few(count: int, subject: str, what: str) -> None:
    """Refuse to enumerate more than a million values."""
    if count > ENUMERABLE:
        raise SpaceError(
            f"{subject} has {count:,} {what}, but at most {ENUMERABLE:,} can be enumerated: "
            f"let the rule read fewer open fields, or tie fewer decisions."
        )

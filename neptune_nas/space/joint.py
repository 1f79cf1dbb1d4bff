"""Nodes with several parts: records, tuples and copies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Protocol

from neptune_nas.architecture.fields import is_same
from neptune_nas.errors import SpaceError
from neptune_nas.space.nodes import (
    ENUMERABLE,
    FREE,
    Assignment,
    Counts,
    Either,
    Node,
    Place,
    merge,
)

ONE = range(1, 2)
_TIED = 100_000  # the most combinations of tied decisions that are counted


class _PartForm(Protocol):
    """The way in which the values of several parts make one value."""

    def join(self, values: Sequence[Any]) -> Any:
        """Return the value made from one value per part."""

    def split(self, value: Any) -> Sequence[Any] | None:
        """Return the value of each part, or None if `value` has another form."""

    def places(self, path: str) -> Sequence[str]:
        """Return the path of each part of the value at `path`."""


@dataclass(frozen=True)
class Fields:
    """The fields of a dataclass; `at` is its location, for messages."""

    cls: type
    names: tuple[str, ...]
    at: str

    def join(self, values: Sequence[Any]) -> Any:
        try:
            return self.cls(**dict(zip(self.names, values, strict=True)))
        except Exception as error:
            raise SpaceError(
                f"{self.at} allows an invalid {self.cls.__name__}: "
                f"{str(error).rstrip('.')}. Rule it out with `where({self.cls.__name__}(...), "
                f"rule)`; for a Stage whose parts do not fit together, `buildable` is that rule."
            ) from error

    def split(self, value: Any) -> Sequence[Any] | None:
        return [getattr(value, name) for name in self.names] if type(value) is self.cls else None

    def places(self, path: str) -> Sequence[str]:
        return [f"{path}.{name}" if path else name for name in self.names]


@dataclass(frozen=True)
class Items:
    """A flat tuple; a part with a range of lengths stands for that many items.

    At most one of the ranges has more than one length, so there is only one way to split.
    """

    lengths: tuple[range | None, ...]

    def join(self, values: Sequence[Any]) -> Any:
        pairs = zip(self.lengths, values, strict=True)
        return tuple(
            item for span, value in pairs for item in ((value,) if span is None else value)
        )

    def split(self, value: Any) -> Sequence[Any] | None:
        if not isinstance(value, tuple):
            return None
        spare = len(value) - sum((span or ONE).start for span in self.lengths)
        if spare < 0:
            return None
        values: list[Any] = []
        at = 0
        for span in self.lengths:
            if span is None:
                values.append(value[at])
                at += 1
            else:
                length = span.start + (spare if len(span) > 1 else 0)
                values.append(value[at : at + length])
                at += length
        return values if at == len(value) else None

    def places(self, path: str) -> Sequence[str]:
        return [f"{path}.{i}" for i in range(len(self.lengths))]


@dataclass(frozen=True)
class _RowForm:
    """A tuple with one item per part."""

    def join(self, values: Sequence[Any]) -> Any:
        return tuple(values)

    def split(self, value: Any) -> Sequence[Any] | None:
        return value if isinstance(value, tuple) else None

    def places(self, path: str) -> Sequence[str]:
        raise AssertionError(f"the copies at {path} have their own places")


ROW = _RowForm()


@dataclass(frozen=True)
class Joint:
    """Several independent nodes, numbered in mixed radix: the last part varies fastest."""

    parts: tuple[Node, ...]
    form: _PartForm

    @cached_property
    def suffixes(self) -> tuple[Counts, ...]:
        """The joint counts of the parts from j on, for each j."""
        suffixes: list[Counts] = [{FREE: 1}]
        for part in reversed(self.parts):
            counts: dict[Assignment, int] = {}
            for first, a in part.counts.items():
                for rest, b in suffixes[-1].items():
                    if (given := merge(first, rest)) is not None:
                        counts[given] = counts.get(given, 0) + a * b
                if len(counts) > _TIED:
                    raise SpaceError(
                        f"a space has over {_TIED:,} combinations of tied decisions, which slow "
                        f"everything down: tie fewer decisions, or decisions with fewer options."
                    )
            suffixes.append(counts)
        return tuple(reversed(suffixes))

    @property
    def counts(self) -> Counts:
        return self.suffixes[0]

    def unrank(self, given: Assignment, index: int) -> Any:
        values = []
        for part, rests in zip(self.parts, self.suffixes[1:], strict=True):
            for first, rest, count in _blocks(part, rests, given):
                if index < part.counts[first] * count:
                    high, index = divmod(index, count)
                    values.append(part.unrank(first, high))
                    given = rest
                    break
                index -= part.counts[first] * count
        return self.form.join(values)

    def rank(self, value: Any) -> Place | None:
        values = self.form.split(value)
        if values is None or len(values) != len(self.parts):
            return None
        given, index = FREE, 0
        for j in reversed(range(len(self.parts))):
            part, rests = self.parts[j], self.suffixes[j + 1]
            place = part.rank(values[j])
            if place is None or (merged := merge(place[0], given)) is None:
                return None
            index += place[1] * rests[given]
            for first, rest, count in _blocks(part, rests, merged) if merged else ():
                if (first, rest) == (place[0], given):
                    break
                index += part.counts[first] * count
            given = merged
        return given, index

    def each(self, given: Assignment) -> Iterator[Any]:
        return map(self.form.join, self._rows(0, given))

    def join(self, values: Sequence[Any]) -> Any:
        """Return the value made from one value per part."""
        return self.form.join(values)

    def split(self, value: Any) -> Sequence[Any]:
        """Return the value of each part of `value`, a value of this node."""
        values = self.form.split(value)
        assert values is not None
        return values

    def _rows(self, j: int, given: Assignment) -> Iterator[Sequence[Any]]:
        if not given and self.suffixes[j][FREE] <= ENUMERABLE:
            yield from product(*(part.each(FREE) for part in self.parts[j:]))
            return
        part = self.parts[j]
        for first, rest, _ in _blocks(part, self.suffixes[j + 1], given):
            for value in part.each(first):
                for row in self._rows(j + 1, rest):
                    yield (value, *row)


def _blocks(
    part: Node, rests: Counts, given: Assignment
) -> Iterator[tuple[Assignment, Assignment, int]]:
    """Yield the ways to share `given` between a part and those after it, in a fixed order."""
    if not given:
        yield FREE, FREE, rests[FREE]
        return
    for first in part.counts:
        if first <= given:
            for rest, count in rests.items():
                if rest <= given and first | rest == given:
                    yield first, rest, count


@dataclass(frozen=True)
class Copies:
    """A tuple of `low` to `high` values of one node, decided independently; the shortest first."""

    item: Node
    low: int
    high: int

    @cached_property
    def by_length(self) -> Either:
        """A choice with one option per length."""
        lengths = range(self.low, self.high + 1)
        return Either(tuple(Joint((self.item,) * n, ROW) for n in lengths), tuple(lengths))

    @property
    def counts(self) -> Counts:
        return self.by_length.counts

    def unrank(self, given: Assignment, index: int) -> Any:
        return self.by_length.unrank(given, index)

    def rank(self, value: Any) -> Place | None:
        if not isinstance(value, tuple) or not self.low <= len(value) <= self.high:
            return None
        return self.by_length.rank(value)

    def each(self, given: Assignment) -> Iterator[Any]:
        return self.by_length.each(given)


@dataclass(frozen=True)
class SharedCopies:
    """A tuple of `low` to `high` copies of one value, decided once."""

    item: Node
    low: int
    high: int

    @cached_property
    def lengths(self) -> range:
        """The lengths at which the item has to be decided."""
        return range(max(self.low, 1), self.high + 1)

    @cached_property
    def counts(self) -> Counts:
        counts = {given: n * len(self.lengths) for given, n in self.item.counts.items()}
        if self.low == 0:
            counts[FREE] = counts.get(FREE, 0) + 1
        return {given: count for given, count in counts.items() if count}

    def unrank(self, given: Assignment, index: int) -> Any:
        if self.low == 0 and not given:
            if index == 0:
                return ()
            index -= 1
        which, place = divmod(index, self.item.counts[given])
        return (self.item.unrank(given, place),) * self.lengths[which]

    def rank(self, value: Any) -> Place | None:
        if not isinstance(value, tuple) or not self.low <= len(value) <= self.high:
            return None
        if not value:
            return FREE, 0
        place = self.item.rank(value[0])
        if place is None or not all(is_same(item, value[0]) for item in value):
            return None
        given, index = place
        index += self.lengths.index(len(value)) * self.item.counts[given]
        return given, index + (self.low == 0 and not given)

    def each(self, given: Assignment) -> Iterator[Any]:
        return (self.unrank(given, index) for index in range(self.counts[given]))


def spans(node: Node) -> range | None:
    """Return how many items the copies stand for, as a range; None for a single item."""
    if isinstance(node, Copies | SharedCopies):
        return range(node.low, node.high + 1)
    return None

"""Nodes restricted by rules."""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from neptune_nas.errors import SpaceError, description
from neptune_nas.space.joint import ROW, Fields, Joint
from neptune_nas.space.nodes import (
    Assignment,
    Counts,
    Node,
    Place,
    RejectedError,
    require_few,
    total,
)

Rule = Callable[[Any], bool]


@dataclass(frozen=True)
class Filtered:
    """The values of a node that obey all rules, found by trying each; `at` is for messages."""

    node: Node
    rules: tuple[Rule, ...]
    at: str

    @cached_property
    def kept(self) -> Mapping[Assignment, Sequence[int]]:
        """The numbers of the values that obey the rules, in rising order."""
        require_few(total(self.node), self.at, "values for its rule to look at")
        kept = {given: self._obeying(given) for given in self.node.counts}
        if not any(kept.values()):
            raise SpaceError(
                f"{self.at} has a rule that none of its {total(self.node):,} values obeys: "
                f"loosen the rule or open more fields."
            )
        return {given: numbers for given, numbers in kept.items() if numbers}

    def _obeying(self, given: Assignment) -> list[int]:
        numbered = enumerate(self.node.each(given))
        return [number for number, value in numbered if self.obeys(value)]

    @cached_property
    def counts(self) -> Counts:
        return {given: len(numbers) for given, numbers in self.kept.items()}

    def unrank(self, given: Assignment, index: int) -> Any:
        return self.node.unrank(given, self.kept[given][index])

    def rank(self, value: Any) -> Place | None:
        place = self.node.rank(value)
        if place is None or place[0] not in self.kept:
            return None
        given, number = place
        at = bisect_left(self.kept[given], number)
        known = at < len(self.kept[given]) and self.kept[given][at] == number
        return (given, at) if known else None

    def each(self, given: Assignment) -> Iterator[Any]:
        return (self.node.unrank(given, number) for number in self.kept[given])

    def obeys(self, value: Any) -> bool:
        """Return whether a value of the node obeys all rules."""
        return obeys_all(self.rules, value, self.at)

    @property
    def summary(self) -> str:
        """The number of values that the rules keep, and 8 digits of a hash of which ones."""
        numbers = [(sorted(given), numbers) for given, numbers in self.kept.items()]
        digest = hashlib.sha256(repr(numbers).encode()).hexdigest()[:8]
        return f"{total(self):,} of {total(self.node):,} ({digest})"


@dataclass(frozen=True)
class Ruled:
    """A record whose fields obey all rules; only the fields that the rules read are enumerated."""

    parts: tuple[Node, ...]
    form: Fields
    rules: tuple[Rule, ...]

    @cached_property
    def names_and_read(self) -> tuple[tuple[str, ...], Filtered]:
        """The names of the fields that the rules read, and their filtered combinations."""
        names: tuple[str, ...] = ()
        while True:
            filtered = self._filtered(names)
            try:
                _ = filtered.counts  # this is what calls the rules
            except _NotKnown as more:
                names = tuple(n for n in self.form.names if n in (*names, *more.names))
            else:
                return names, filtered

    @cached_property
    def joint(self) -> Joint:
        """The fields that the rules read, filtered, then the others."""
        names, read = self.names_and_read
        others = tuple(name for name in self.form.names if name not in names)
        rest = Joint(tuple(self._part(name) for name in others), ROW)
        return Joint((read, rest), _Sorted(self.form, (*names, *others), len(names)))

    @property
    def counts(self) -> Counts:
        return self.joint.counts

    def unrank(self, given: Assignment, index: int) -> Any:
        return self.joint.unrank(given, index)

    def rank(self, value: Any) -> Place | None:
        return self.joint.rank(value)

    def each(self, given: Assignment) -> Iterator[Any]:
        return self.joint.each(given)

    def join(self, values: Sequence[Any]) -> Any:
        """Return the record with these fields; raises `RejectedError` if it breaks a rule."""
        if not self.obey(values):
            shown = ", ".join(f"{n}={v!r}" for n, v in zip(self.form.names, values, strict=True))
            raise RejectedError(f"{self.form.at} has a rule that forbids {shown}.")
        return self.form.join(values)

    def split(self, value: Any) -> Sequence[Any]:
        """Return the value of each field of `value`, a value of this node."""
        values = self.form.split(value)
        assert values is not None
        return values

    def obey(self, values: Sequence[Any]) -> bool:
        """Return whether a record with these fields obeys all rules."""
        return self._obey(zip(self.form.names, values, strict=True))

    def _part(self, name: str) -> Node:
        return self.parts[self.form.names.index(name)]

    def _filtered(self, names: tuple[str, ...]) -> Filtered:
        rows = Joint(tuple(self._part(name) for name in names), ROW)
        return Filtered(rows, (lambda row: self._obey(zip(names, row, strict=True)),), self.form.at)

    def _obey(self, known: Iterator[tuple[str, Any]]) -> bool:
        return obeys_all(self.rules, _Reader(self.form, known), self.form.at)


@dataclass(frozen=True)
class _Sorted:
    """The fields of a record as two rows: the first `cut` of `order`, then the others."""

    fields: Fields
    order: tuple[str, ...]
    cut: int

    @cached_property
    def back(self) -> tuple[int, ...]:
        return tuple(map(self.order.index, self.fields.names))

    def join(self, rows: Sequence[Any]) -> Any:
        values = (*rows[0], *rows[1])
        return self.fields.join([values[i] for i in self.back])

    def split(self, value: Any) -> Sequence[Any] | None:
        if type(value) is not self.fields.cls:
            return None
        values = tuple(getattr(value, name) for name in self.order)
        return values[: self.cut], values[self.cut :]

    def places(self, path: str) -> Sequence[str]:
        raise AssertionError(f"the rows at {path} have no places of their own")


class _NotKnown(BaseException):
    """Raised if a rule reads fields not known yet; no Exception, to pass a rule's `except`."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names


class _Reader:
    """A stand-in for a record in a rule: known fields are attributes, others raise `_NotKnown`."""

    def __init__(self, form: Fields, known: Iterator[tuple[str, Any]]) -> None:
        self.__form = form
        self.__dict__.update(known)

    @property  # type: ignore[misc]  # so that isinstance in a rule sees the record's class
    def __class__(self) -> type:
        return self.__form.cls

    def __getattr__(self, name: str) -> Any:
        if name in self.__form.names:
            raise _NotKnown((name,))
        return getattr(self.__whole(), name)

    def __eq__(self, other: object) -> bool:
        return bool(self.__whole() == other)

    def __hash__(self) -> int:
        return hash(self.__whole())

    def __bool__(self) -> bool:
        return bool(self.__whole())

    def __repr__(self) -> str:
        return repr(self.__whole())

    def __whole(self) -> Any:
        """Return the record itself, for uses that may read every field: methods, comparisons."""
        missing = tuple(name for name in self.__form.names if name not in vars(self))
        if missing:
            raise _NotKnown(missing)
        return self.__form.join([vars(self)[name] for name in self.__form.names])


def obeys_all(rules: tuple[Rule, ...], value: Any, at: str) -> bool:
    """Return whether `value` obeys all rules; raises `SpaceError` if a rule itself fails."""
    try:
        for rule in rules:
            if not rule(value):
                return False
    except SpaceError:
        raise
    except (Exception, SystemExit) as error:
        raise SpaceError(
            f"{at} has a rule that fails with {description(error)} on "
            f"{_short_text(value)}: a rule must answer for every value."
        ) from error
    return True


def _short_text(value: Any) -> str:
    if type(value) is not _Reader:
        return repr(value)
    known = [f"{name}={item!r}" for name, item in vars(value).items() if not name.startswith("_")]
    return f"{value.__class__.__name__}({', '.join([*known, '...'])})"

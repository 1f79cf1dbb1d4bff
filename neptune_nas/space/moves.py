"""Edits of the values of a node: moves, distance, crossover.

Edit distance: a changed pick counts 1 whatever stands below the new option; an inserted or removed
copy counts 1; a tied decision counts 1, in however many places it is used. New parts agree with the
ties already decided (`given`). A move that breaks a rule of a record raises `RejectedError` or is
left out. Other rules are not checked: the caller asks the whole space whether the result is inside.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from neptune_nas.architecture.fields import is_same
from neptune_nas.space.joint import Copies, Joint, SharedCopies
from neptune_nas.space.nodes import (
    FREE,
    Assignment,
    Either,
    Node,
    Numbers,
    RejectedError,
    Tied,
    merge,
)
from neptune_nas.space.rules import Filtered, Ruled

_Ties = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """One place where a value can change: `every` changed value, or a random one by `draw`."""

    every: Callable[[], Iterator[Any]]
    draw: Callable[[Random], Any]

    def then(self, wrap: Callable[[Any], Any]) -> "Move":
        """Return the same change as part of a larger value."""
        return Move(lambda: _allowed(wrap, self.every()), lambda rng: wrap(self.draw(rng)))


def _allowed(wrap: Callable[[Any], Any], values: Iterator[Any]) -> Iterator[Any]:
    for value in values:
        try:
            wrapped = wrap(value)
        except RejectedError:
            continue
        yield wrapped


def _one_of(values: list[Any]) -> Iterator[Move]:
    if values:
        yield Move(lambda: iter(values), lambda rng: rng.choice(values))


def moves(node: Node, value: Any, given: Assignment) -> Iterator[Move]:
    """Yield all places where `value` can change, except ties, which `given` decides."""
    match node:
        case Numbers():
            yield from _one_of([other for other in node.values if other != value])
        case Either():
            k = node.option_of(value)
            others = [option for j, option in enumerate(node.options) if j != k]
            if others:
                yield Move(
                    lambda: (new for option in others for new in all_values(option, given)),
                    lambda rng: draw(rng.choice(others), rng, given),
                )
            yield from moves(node.options[k], value, given)
        case Copies():
            yield from _moves_of_copies(node, value, given)
        case SharedCopies():
            yield from _moves_of_shared(node, value, given)
        case Joint() | Ruled():
            yield from _moves_of_parts(node, value, given)
        case Filtered():
            yield from moves(node.node, value, given)


def _moves_of_copies(node: Copies, value: tuple[Any, ...], given: Assignment) -> Iterator[Move]:
    for i, item in enumerate(value):
        for move in moves(node.item, item, given):
            yield move.then(partial(_put, value, i))
    if len(value) > node.low:
        yield from _one_of([value[:i] + value[i + 1 :] for i in range(len(value))])
    if len(value) < node.high:
        slots = range(len(value) + 1)
        yield Move(
            lambda: (
                _inserted(value, i, new) for i in slots for new in all_values(node.item, given)
            ),
            lambda rng: _inserted(value, rng.choice(slots), draw(node.item, rng, given)),
        )


def _inserted(items: tuple[Any, ...], at: int, new: Any) -> tuple[Any, ...]:
    return (*items[:at], new, *items[at:])


def _moves_of_shared(
    node: SharedCopies, value: tuple[Any, ...], given: Assignment
) -> Iterator[Move]:
    if not value:
        if node.high > 0:
            yield Move(
                lambda: ((new,) for new in all_values(node.item, given)),
                lambda rng: (draw(node.item, rng, given),),
            )
        return
    for move in moves(node.item, value[0], given):
        yield move.then(lambda new: (new,) * len(value))
    around = (len(value) - 1, len(value) + 1)
    yield from _one_of([value[:1] * n for n in around if node.low <= n <= node.high])


def _moves_of_parts(node: Joint | Ruled, value: Any, given: Assignment) -> Iterator[Move]:
    parts = node.split(value)
    for i, (part, item) in enumerate(zip(node.parts, parts, strict=True)):
        for move in moves(part, item, given):
            yield move.then(partial(_join_with, node, parts, i))


def _put(value: tuple[Any, ...], i: int, new: Any) -> tuple[Any, ...]:
    """Return `value` with `new` in place `i`."""
    return (*value[:i], new, *value[i + 1 :])


def _join_with(node: Joint | Ruled, parts: Sequence[Any], i: int, new: Any) -> Any:
    """Return the value of `node` made of `parts`, with `new` as part `i`."""
    return node.join([*parts[:i], new, *parts[i + 1 :]])


def all_values(node: Node, given: Assignment = FREE) -> Iterator[Any]:
    """Yield all values of `node` that agree with the ties of `given`."""
    for own in node.counts:
        if merge(own, given) is not None:
            yield from node.each(own)


def draw(node: Node, rng: Random, given: Assignment = FREE) -> Any:
    """Return a random value of `node`, uniform over all that agree with the ties of `given`.

    Raises `RejectedError` if there is none.
    """
    agreeing = [(own, n) for own, n in node.counts.items() if merge(own, given) is not None]
    if not agreeing:
        raise RejectedError("no value agrees with the ties decided.")
    index = rng.randrange(sum(count for _, count in agreeing))
    for own, count in agreeing:
        if index < count:
            return node.unrank(own, index)
        index -= count
    raise AssertionError("index beyond the node's count")


def tie_decisions(node: Node, value: Any) -> dict[str, tuple[Tied, Any]]:
    """Return the ties that `value` uses, by name: each with its node and its decided value."""
    match node:
        case Tied():
            return {node.name: (node, value)}
        case Either():
            return tie_decisions(node.options[node.option_of(value)], value)
        case Copies() | SharedCopies():
            found = [tie_decisions(node.item, item) for item in value]
        case Joint() | Ruled():
            found = list(map(tie_decisions, node.parts, node.split(value)))
        case Filtered():
            return tie_decisions(node.node, value)
        case _:
            return {}
    return {name: decided for ties in found for name, decided in ties.items()}


def _with_ties(node: Node, value: Any, ties: _Ties) -> Any:
    """Return `value` with the ties of `ties` decided in all their places."""
    match node:
        case Tied():
            return ties.get(node.name, value)
        case Either():
            return _with_ties(node.options[node.option_of(value)], value, ties)
        case Copies() | SharedCopies():
            return tuple(_with_ties(node.item, item, ties) for item in value)
        case Joint() | Ruled():
            pairs = zip(node.parts, node.split(value), strict=True)
            return node.join([_with_ties(part, item, ties) for part, item in pairs])
        case Filtered():
            return _with_ties(node.node, value, ties)
    return value


def _with_tie(node: Node, value: Any, name: str, new: Any) -> Any:
    """Return `value` with the tie `name` decided as `new` in all its places."""
    return _with_ties(node, value, {name: new})


def moves_of_ties(node: Node, value: Any) -> Iterator[Move]:
    """Yield the changes of tied decisions, one move per tie."""
    for name, (tie, decided) in tie_decisions(node, value).items():
        for move in _one_of([new for new in tie.inner.each(FREE) if not is_same(new, decided)]):
            yield move.then(partial(_with_tie, node, value, name))


def distance(node: Node, a: Any, b: Any) -> int:
    """Return the number of edits from `a` to `b`, both values of `node`, without those of ties."""
    if a is b:
        return 0
    match node:
        case Numbers():
            return int(a != b)
        case Either():
            k = node.option_of(a)
            if k != node.option_of(b):
                return 1
            inner = distance(node.options[k], a, b)
            return inner if len(node.options) == 1 else min(inner, 2)  # to another option and back
        case Copies():
            return _edits(node.item, a, b)
        case SharedCopies():
            if not a or not b:
                return len(a) + len(b)
            kept = distance(node.item, a[0], b[0]) + abs(len(a) - len(b))
            return kept if node.low else min(kept, len(a) + len(b))  # down to no copy and back
        case Joint() | Ruled():
            return sum(map(distance, node.parts, node.split(a), node.split(b)))
        case Filtered():
            return distance(node.node, a, b)
    return 0


def _edits(item: Node, a: tuple[Any, ...], b: tuple[Any, ...]) -> int:
    """Return Levenshtein's distance; a substitution costs the distance of the two copies."""
    row = list(range(len(b) + 1))
    for i, ours in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, theirs in enumerate(b, start=1):
            replaced = before + distance(item, ours, theirs)
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, replaced)
    return row[-1]


def cross(node: Node, a: Any, b: Any, ties: _Ties, rng: Random) -> Any:
    """Return a value that takes each decision from `a` or from `b`, and the tied ones from `ties`.

    Raises `RejectedError` if it breaks a rule of a record.
    """
    match node:
        case Tied():
            return ties[node.name]
        case Either():
            k = node.option_of(a)
            if k == node.option_of(b):
                return cross(node.options[k], a, b, ties, rng)
        case Copies():
            length = len(rng.choice((a, b)))
            both = [cross(node.item, x, y, ties, rng) for x, y in zip(a, b, strict=False)]
            rest = [_with_ties(node.item, x, ties) for x in max(a, b, key=len)[len(both) :]]
            return tuple([*both, *rest][:length])
        case SharedCopies():
            if a and b:
                return (cross(node.item, a[0], b[0], ties, rng),) * len(rng.choice((a, b)))
        case Joint() | Ruled():
            triples = zip(node.parts, node.split(a), node.split(b), strict=True)
            return node.join([cross(part, x, y, ties, rng) for part, x, y in triples])
        case Filtered():
            return cross(node.node, a, b, ties, rng)
    return _with_ties(node, rng.choice((a, b)), ties)

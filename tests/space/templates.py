"""Random small templates, and all their values by brute force, straight from the words."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from hypothesis import assume, reject
from hypothesis import strategies as st

from neptune_nas.architecture.fields import is_record
from neptune_nas.errors import SpaceError
from neptune_nas.space import Space, choice, integer, optional, repeat, tie, where
from neptune_nas.space.language import Choice, IntegerRange, Repeat, Tie, Where

Ties = dict[str, Any]
MOST = 400


@dataclass(frozen=True)
class Leaf:
    """A user's record with one field."""

    a: Any = 0


@dataclass(frozen=True)
class Pair:
    """A user's record with two fields."""

    first: Any
    second: Any

    def total(self) -> int:
        return len(repr(self.first)) + len(repr(self.second))


@dataclass(frozen=True)
class Group:
    """A user's record with a tuple."""

    items: tuple[Any, ...]


def tied_number() -> Any:
    return tie("number", choice(0, 1, 2))


def tied_leaf() -> Any:
    return tie("leaf", optional(Leaf(choice("x", "y"))))


def reads_one(pair: Pair) -> bool:
    return bool(pair.second % 2 == 0)


def reads_both(pair: Pair) -> bool:
    return repr(pair.first) != repr(pair.second)


def reads_all(pair: Pair) -> bool:
    return pair.total() % 2 == 0


def compares(pair: Pair) -> bool:
    return pair != Pair(1, 2)


def is_odd(value: Any) -> bool:
    return len(repr(value)) % 2 == 1


@st.composite
def templates(draw: st.DrawFn, depth: int = 3, ties: bool = True) -> Any:
    """Return a template; `depth` bounds its nesting."""
    leaves = ["fixed", "numbers", "integer"] + ["tie"] * ties
    inner = [
        "optional",
        "repeat",
        "shared",
        "splice",
        "pair",
        "ruled",
        "filtered",
        "kinds",
        "twice",
    ]
    kind = draw(st.sampled_from(leaves if depth == 0 else leaves + inner))
    part = templates(depth - 1, ties) if depth else st.nothing()
    small = templates(min(depth - 1, 1), ties) if depth else st.nothing()  # a rule looks at each
    match kind:
        case "fixed":
            return draw(st.sampled_from([0, "s", None, 1.0, True, Leaf(3), (), (1, 2)]))
        case "numbers":
            return choice(*draw(st.sets(st.integers(0, 3), min_size=1, max_size=3)))
        case "integer":
            return integer(0, 2 * draw(st.integers(0, 2)), 2)
        case "tie":
            return draw(st.sampled_from([tied_number, tied_leaf]))()
        case "optional":
            return optional(Leaf(draw(part)))
        case "repeat" | "shared":
            low = draw(st.integers(0, 2))
            high = low + draw(st.integers(0, 2))
            return repeat(draw(part), low, high, shared=kind == "shared")
        case "splice":
            return (*repeat(draw(part), 0, draw(st.integers(0, 2))), draw(part), Leaf())
        case "pair":
            return Pair(draw(part), draw(part))
        case "ruled":
            rule = draw(st.sampled_from([reads_one, reads_both, reads_all, compares]))
            return where(Pair(draw(small), integer(0, 3)), rule)
        case "filtered":
            return where(draw(small), is_odd)
        case "kinds":
            return choice(Leaf(draw(part)), Group(repeat(draw(part), 0, 2)), 7)
        case _:
            return where(where(Pair(integer(0, 3), draw(small)), reads_both), is_odd)


@st.composite
def spaces(draw: st.DrawFn, most: int = MOST, ties: bool = True) -> Space[Any]:
    """Return a space of at most `most` points over a random template."""
    template = draw(templates(ties=ties))
    try:
        space = Space("random", template)
    except SpaceError as error:
        if not any(rule in str(error) for rule in ("overlap", "none of its", "side by side")):
            raise
        reject()
    assume(space.size <= most)
    return space


def brute(template: Any) -> list[Any]:
    """All values of a template."""
    return [value for value, _ in _brute(template)]


def _brute(template: Any) -> Iterator[tuple[Any, Ties]]:
    match template:
        case Choice():
            for option in template.options:
                yield from _brute(option)
        case IntegerRange():
            for number in range(template.low, template.high + 1, template.step):
                yield number, {}
        case Repeat():
            yield from _copies(template)
        case Tie():
            for value, _ in _brute(template.template):
                yield value, {template.name: value}
        case Where():
            yield from (pair for pair in _brute(template.template) if template.rule(pair[0]))
        case tuple():
            for items, ties in _together(template):
                flat = zip(template, items, strict=True)
                spread = [v if isinstance(t, Repeat) else (v,) for t, v in flat]
                yield tuple(item for items in spread for item in items), ties
        case _ if is_record(template):
            names = [field.name for field in fields(template)]
            for items, ties in _together([getattr(template, name) for name in names]):
                yield type(template)(*items), ties
        case _:
            yield template, {}


def _copies(template: Repeat) -> Iterator[tuple[Any, Ties]]:
    for length in range(template.low, template.high + 1):
        if template.shared and length:
            for value, ties in _brute(template.template):
                yield (value,) * length, ties
        else:
            yield from _together([template.template] * length)


def _together(parts: Any) -> Iterator[tuple[Any, Ties]]:
    for combination in product(*(list(_brute(part)) for part in parts)):
        ties: Ties = {}
        if all(
            ties.setdefault(name, decided) == decided
            for _, own in combination
            for name, decided in own.items()
        ):
            yield tuple(value for value, _ in combination), ties

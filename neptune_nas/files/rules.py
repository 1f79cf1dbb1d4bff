"""Rules of single values, declared in a field's type hint: `Annotated[int, at_least(1)]`.

A hint is read in two ways: as a test of a value, and as its description for messages.
"""

import sys
from ast import literal_eval
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import reduce
from math import isnan, prod
from reprlib import Repr
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

Predicate = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule for values of the right type: words around "whole number", and a test."""

    words: str
    holds: Predicate
    is_before: bool = False


def at_least(least: float) -> _Rule:
    """Require a number of at least `least`."""
    return _Rule(f"of at least {least}", lambda value: value >= least)


def above(low: float) -> _Rule:
    """Require a number greater than `low`."""
    return _Rule(f"above {low}", lambda value: value > low)


def between(low: float, high: float) -> _Rule:
    """Require a number from `low` to `high`, inclusive."""
    return _Rule(f"in {low}..{high}", lambda value: low <= value <= high)


def below(high: float) -> _Rule:
    """Require a number less than `high`; use it after another rule, whose words it extends."""
    return _Rule(f"and below {high}", lambda value: value < high)


def at_most(high: float) -> _Rule:
    """Require a number of at most `high`; use it after another rule, whose words it extends."""
    return _Rule(f"and at most {high}", lambda value: value <= high)


ODD = _Rule("odd", lambda value: value % 2 == 1, is_before=True)
FINITE = _Rule("finite", lambda n: abs(n) <= sys.float_info.max, is_before=True)  # no NaN
NOT_NAN = _Rule("other than NaN", lambda value: not isnan(value))
NOT_EMPTY = _Rule("non-empty", lambda value: len(value) > 0, is_before=True)
DIFFERENT = _Rule("with no two alike", lambda value: len({*value}) == len(value))


LARGEST = 2**31 - 1
"""The largest size: the product of two, as of width and expansion, still fits torch's integers."""
IN_RANGE = _Rule("", lambda value: value <= LARGEST)  # `fault` mentions it if it is broken

Count = Annotated[int, at_least(0)]
Size = Annotated[int, at_least(1), IN_RANGE]
SEED_LIMIT = below(10_001)
SeedCount = Annotated[int, at_least(1), SEED_LIMIT]
"""A number of seeds, which are listed before they are used."""
Threads = Annotated[int, at_least(1), below(1025)]
"""A number of threads; a system ends a process that starts too many."""
OptionalSize = Annotated[int, at_least(0), IN_RANGE]
"""A size, or 0 for none."""
Number = Annotated[float, FINITE]
Share = Annotated[float, between(0, 1)]
Positive = Annotated[float, above(0)]
Sides = tuple[Size, Size, Size]
"""Channels, height and width of an image."""

_FEW = 16  # numbers of an array in a message
_NOUNS = {int: "whole number", float: "number", str: "string"}


def as_plain(value: Any) -> Any:
    """Return a numpy or torch number as Python's own, and anything else unchanged."""
    if getattr(value, "shape", None) != () or not hasattr(value, "item"):
        return value
    try:
        return value.item()
    except RuntimeError:  # a tensor without a value, as on the meta device
        return value


class _Short(Repr):
    """Python's short `repr`, extended to whole numbers of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 80

    def repr_int(self, x: int, level: int) -> str:
        """Return the digits, or their approximate number."""
        try:
            return super().repr_int(x, level)
        except ValueError:  # more digits than Python writes
            return f"a number of {int(x.bit_length() * 0.30103)} digits"


SHORT = _Short()
"""Python's short `repr` for messages."""


def listed(value: Any) -> object:
    """Return a small array as a list or number, and anything else unchanged."""
    is_small = hasattr(value, "tolist") and 0 < prod(getattr(value, "shape", (0,))) <= _FEW
    return value.tolist() if is_small else value


def unquoted(value: object) -> object:
    """Return the value that a text spells, and anything else unchanged."""
    try:
        return literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value


def rules_of(hint: Any) -> tuple[_Rule, ...]:
    """Return the rules of an annotated hint, without annotations of other kinds."""
    return tuple(each for each in get_args(hint)[1:] if isinstance(each, _Rule))


def words_for(hint: Any, *, python: bool = False, many: bool = False) -> str:
    """Return the description of a hint; None, which it may allow, is not mentioned.

    `python`: use Python's terms instead of those of JSON and TOML. `many`: use the plural.

    >>> words_for(Size), words_for(tuple[Share, ...]), words_for(dict[str, int], python=True)
    ('a whole number of at least 1', 'a list of numbers in 0..1', 'a dict of whole numbers')
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        base = words_for(inner[0], python=python, many=many)
        before = [rule.words for rule in rules_of(hint) if rule.is_before]
        after = [rule.words for rule in rules_of(hint) if rule.words and not rule.is_before]
        if before:
            base = _noun(" ".join([*before, _NOUNS[inner[0]]]), many)
        return " ".join([base, *after])
    if origin is Literal:
        return repr(inner[0]) if len(inner) == 1 else f"one of {', '.join(map(str, inner))}"
    if origin in (Union, UnionType):
        some = [each for each in inner if each is not type(None)]
        return " or ".join(words_for(each, python=python, many=many) for each in some)
    if origin in (tuple, Sequence):
        count = f"{len(inner)} " if origin is tuple and ... not in inner else ""
        list_ = "tuple" if python else "list"
        return f"{_noun(list_, many)} of {count}{words_for(inner[0], python=python, many=True)}"
    if origin in (dict, Mapping):
        values = words_for(inner[1], python=python, many=True)
        return f"{_noun('dict' if python else 'object', many)} of {values}"
    if hint in (Any, object):
        return "values" if many else "a value"
    if is_dataclass(hint) and not python:
        return _noun("object", many)
    name = getattr(origin or hint, "__name__", str(hint))
    return "true or false" if hint is bool else _noun(_NOUNS.get(hint, name), many)


def _noun(name: str, many: bool) -> str:
    article = "an" if name[0] in "AEIOUaeiou" else "a"
    return f"{name}s" if many else f"{article} {name}"


def predicate_for(hint: Any) -> Predicate | None:
    """Return the test of a hint; None if it allows any value.

    A bool is not a number here, 1.0 not a whole number, and a class not an instance.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated and inner[0] is int:
        return _exact(int, rules_of(hint))
    if origin is Annotated:
        return _all_of((predicate_for(inner[0]), *(rule.holds for rule in rules_of(hint))))
    if origin is Literal:
        return _is_one_of(inner)
    if origin in (Union, UnionType):
        return _any_of(map(predicate_for, inner))
    if origin is tuple and inner:
        return _tuple_test(inner)
    if origin is Sequence:
        return _all_of((_is_sequence, _for_all(predicate_for(inner[0]))))
    if origin in (dict, Mapping):
        return _mapping_test(origin, predicate_for(inner[1]))
    if hint in (int, str, bool, type(None)):
        return _exact(hint, ())
    return _class_test(origin or hint)


def _class_test(cls: Any) -> Predicate | None:
    if cls in (Any, object, list, type) or not isinstance(cls, type):
        return None  # a list may have become a tuple
    if cls is float:
        return _is_number
    try:
        isinstance(None, cls)
    except TypeError:  # a protocol for type checkers only
        return None
    return lambda value: isinstance(value, cls) and not isinstance(value, type)


def _is_number(value: object) -> bool:
    if type(value) is float:
        return True
    if type(value) is int:
        return abs(value) <= sys.float_info.max  # a float can hold it
    return isinstance(value, float)  # numpy's


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_one_of(members: tuple[Any, ...]) -> Predicate:
    known = frozenset((type(member), member) for member in members)
    if all(type(member) is str for member in members):
        names = frozenset(members)
        return lambda value: type(value) is str and value in names
    kinds = frozenset(map(type, members))
    return lambda value: type(value) in kinds and (type(value), value) in known


def _all_of(tests: Iterable[Predicate | None]) -> Predicate | None:
    some = [test for test in tests if test is not None]
    return reduce(_conjunction, some) if some else None


def _exact(cls: type, rules: Sequence[_Rule]) -> Predicate:
    """Return a fast test of an exact class and rules, for records built by the million."""
    if not rules:
        return lambda value: type(value) is cls
    holds = reduce(_conjunction, (rule.holds for rule in rules))
    return lambda value: type(value) is cls and holds(value)


def _conjunction(one: Predicate, other: Predicate) -> Predicate:
    return lambda value: one(value) and other(value)


def _any_of(tests: Iterable[Predicate | None]) -> Predicate | None:
    several = [*tests]
    some = [test for test in several if test is not None]
    return reduce(_disjunction, some) if len(some) == len(several) else None


def _disjunction(one: Predicate, other: Predicate) -> Predicate:
    return lambda value: one(value) or other(value)


def _for_all(test: Predicate | None) -> Predicate | None:
    return None if test is None else lambda values: all(map(test, values))


def _tuple_test(inner: tuple[Any, ...]) -> Predicate | None:
    if ... in inner:
        return _all_of((lambda value: isinstance(value, tuple), _for_all(predicate_for(inner[0]))))
    tests = [predicate_for(each) for each in inner]
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(tests)
        and all(test is None or test(item) for test, item in zip(tests, value, strict=True))
    )


def _mapping_test(cls: type, test: Predicate | None) -> Predicate | None:
    of_values = _for_all(test)
    return _all_of(
        (
            lambda value: isinstance(value, cls),
            of_values and (lambda value: of_values(value.values())),
        )
    )

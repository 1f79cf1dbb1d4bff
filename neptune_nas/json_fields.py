"""Rules for the fields of a JSON object, and one sentence for the first that is broken."""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from reprlib import repr as short
from typing import Any

from neptune_nas.errors import FileFormatError, one_of


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field must be, in words and as a test."""

    words: str
    holds: Callable[[object], bool]

    @property
    def or_null(self) -> "Rule":
        """The same, or null."""
        return Rule(f"{self.words} or null", lambda value: value is None or self.holds(value))


def is_whole(value: object, least: int) -> bool:
    """Whether a value is a whole number of at least `least`; true and 1.0 are none."""
    return type(value) is int and value >= least


def is_number(value: object) -> bool:
    """Whether a value is a number that a float can hold."""
    return isinstance(value, int | float) and type(value) is not bool and _is_finite(value)


def _is_finite(value: float) -> bool:
    return abs(value) <= sys.float_info.max  # exact for whole numbers of any size, false for NaN


def is_shape(value: object) -> bool:
    """Whether a value is three whole numbers of at least 1."""
    return isinstance(value, list) and len(value) == 3 and all(is_whole(n, 1) for n in value)


COUNT = Rule("a whole number of at least 0", lambda value: is_whole(value, 0))
SIZE = Rule("a whole number of at least 1", lambda value: is_whole(value, 1))
NUMBER = Rule("a finite number", is_number)
SHAPE = Rule("a list of three whole numbers of at least 1", is_shape)
TEXT = Rule("a string", lambda value: isinstance(value, str))
LIST = Rule("a list", lambda value: isinstance(value, list))
OBJECT = Rule("an object", lambda value: isinstance(value, dict))


def check_fields(
    data: object, rules: Mapping[str, Rule], path: str = "", needed: Iterable[str] | None = None
) -> dict[str, Any]:
    """The object `data`, each field of which keeps its rule; all are `needed` by default.

    `path`: what stands before a field's name in messages, such as `cost.`.
    Raises `FileFormatError` for the first field that is unknown, missing or breaks its rule.
    """
    if not isinstance(data, dict):
        raise FileFormatError(f"`{path.rstrip('.')}` must be an object, but got {short(data)}.")
    for name in data:
        if name not in rules:
            raise FileFormatError(f"`{path}{name}` is unknown: {one_of(rules, name)}")
    for name in rules if needed is None else needed:
        if name not in data:
            raise FileFormatError(f"`{path}{name}` is missing.")
    for name, value in data.items():
        if not rules[name].holds(value):
            raise FileFormatError(
                f"`{path}{name}` must be {rules[name].words}, but got {short(value)}."
            )
    return data

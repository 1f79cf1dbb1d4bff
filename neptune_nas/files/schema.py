"""Rules for the fields of a JSON object, and one sentence for the first that is broken."""

import json
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


def is_share(value: object) -> bool:
    """Whether a value is a number in 0..1."""
    return isinstance(value, int | float) and type(value) is not bool and 0 <= value <= 1


def _is_finite(value: float) -> bool:
    return abs(value) <= sys.float_info.max  # exact for whole numbers of any size, false for NaN


def is_shape(value: object) -> bool:
    """Whether a value is three whole numbers of at least 1."""
    return isinstance(value, list) and len(value) == 3 and all(is_whole(n, 1) for n in value)


COUNT = Rule("a whole number of at least 0", lambda value: is_whole(value, 0))
SIZE = Rule("a whole number of at least 1", lambda value: is_whole(value, 1))
NUMBER = Rule("a finite number", is_number)
SHARE = Rule("a number in 0..1", is_share)
SHAPE = Rule("a list of three whole numbers of at least 1", is_shape)
TEXT = Rule("a string", lambda value: isinstance(value, str))
LIST = Rule("a list", lambda value: isinstance(value, list))
OBJECT = Rule("an object", lambda value: isinstance(value, dict))
TOO_DEEP = "its JSON is nested too deeply: export it again."


def parse(text: str) -> object:
    """The value of a JSON text. Raises `FileFormatError` where it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise FileFormatError(
            f"it is no JSON (line {error.lineno}: {error.msg}): export it again."
        ) from error
    except ValueError as error:
        raise FileFormatError("it holds a number of more digits than can be read.") from error
    except RecursionError as error:
        raise FileFormatError(TOO_DEEP) from error


def check_document(
    data: object,
    form: str,
    version: int,
    rules: Mapping[str, Rule],
    needed: Iterable[str] | None = None,
) -> dict[str, Any]:
    """The object `data` of the format `form` in this `version`, each field of which keeps its rule.

    All are `needed` by default.
    Raises `FileFormatError` for another format or version, or a field that breaks its rule.
    """
    if not isinstance(data, dict) or data.get("format") != form:
        got = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise FileFormatError(f"`format` must be '{form}', but got {got!r}.")
    if type(data.get("version")) is not int or data["version"] != version:
        raise FileFormatError(
            f"`version` must be {version}, but got {data.get('version')!r}: "
            f"it was written by another version of neptune-nas."
        )
    return check_fields(data, rules, needed=needed)


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

"""The parsers of option values: durations, lists, shapes, JSON."""

import re
from collections.abc import Sequence
from math import inf
from typing import Any

from neptune_nas.errors import OptionError, one_of
from neptune_nas.files.documents import parse_json
from neptune_nas.files.rules import Sides
from neptune_nas.files.schema import check_value, cut, fits, located

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str | None, option: str) -> float | None:
    """Return a duration in seconds.

    >>> seconds("2h", "--timeout"), seconds("1h30m", "--timeout"), seconds("45", "--timeout")
    (7200.0, 5400.0, 45.0)
    """
    if text is None:
        return None
    spelled = f"{text}s" if re.fullmatch(r"\d+(\.\d+)?", text) else text
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", spelled)
    total = sum(float(number) * UNITS[unit] for number, unit in parts)
    if not parts or "".join(map("".join, parts)) != spelled or total == inf:
        raise OptionError(
            f"{option} needs a duration such as 90s, 30m, 2h or 1d, but got {cut(text)}."
        )
    return total


def whole_numbers(text: str, option: str, example: str = "1,3,9") -> tuple[int, ...]:
    """Return comma-separated whole numbers.

    >>> whole_numbers("1,3,9", "--rungs")
    (1, 3, 9)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(
            f"{option} needs numbers such as {example}, but got {cut(text)}."
        ) from error


def names(text: str) -> tuple[str, ...]:
    """Return comma-separated names.

    >>> names("accuracy, flops")
    ('accuracy', 'flops')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def check_known(value: str, option: str, known: Sequence[str]) -> None:
    """Refuse a value that an option does not have."""
    if value not in known:
        raise OptionError(f"{option} {cut(value)} is unknown: {one_of(known, value)}")


def shape(text: str, option: str) -> tuple[int, int, int]:
    """Return an image shape, channels first.

    >>> shape("3x32x32", "--input")
    (3, 32, 32)
    """
    parts = text.lower().split("x")
    sides = tuple(int(part) for part in parts if re.fullmatch(r"[0-9]{1,10}", part))
    if len(parts) != len(sides) or not fits(sides, Sides):
        raise OptionError(f"{option} needs CxHxW such as 3x32x32, but got {cut(text)}.")
    channels, height, width = sides
    return channels, height, width


def json_object(text: str | None, option: str) -> dict[str, Any]:
    """Return a JSON object.

    >>> json_object('{"n_startup_trials": 20}', "--sampler-kwargs")
    {'n_startup_trials': 20}
    """
    if text is None:
        return {}
    with located(option, OptionError):
        value = parse_json(text)
    check_value(value, dict[str, Any], option)
    return dict(value)

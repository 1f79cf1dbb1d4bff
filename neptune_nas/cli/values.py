"""The parsers of option values: durations, lists, shapes, JSON."""

import re
from collections.abc import Sequence
from typing import Any

from neptune_nas.errors import OptionError, one_of
from neptune_nas.files.schema import check_value, located, parse_json

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str | None, option: str) -> float | None:
    """Return a duration in seconds.

    >>> seconds("2h", "--timeout"), seconds("1h30m", "--timeout"), seconds("45", "--timeout")
    (7200.0, 5400.0, 45.0)
    """
    if text is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not parts or "".join(map("".join, parts)) != text:
        raise OptionError(
            f"{option} needs a duration such as 90s, 30m, 2h or 1d, but got '{text}'."
        )
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def whole_numbers(text: str, option: str, example: str = "1,3,9") -> tuple[int, ...]:
    """Return comma-separated whole numbers.

    >>> whole_numbers("1,3,9", "--rungs")
    (1, 3, 9)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} needs numbers such as {example}, but got '{text}'.") from error


def names(text: str) -> tuple[str, ...]:
    """Return comma-separated names.

    >>> names("accuracy, flops")
    ('accuracy', 'flops')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def check_known(value: str, option: str, known: Sequence[str]) -> None:
    """Refuse a value that an option does not have."""
    if value not in known:
        raise OptionError(f"{option} '{value}' is unknown: {one_of(known, value)}")


def shape(text: str, option: str) -> tuple[int, int, int]:
    """Return an image shape, channels first.

    >>> shape("3x32x32", "--input")
    (3, 32, 32)
    """
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise OptionError(f"{option} needs CxHxW such as 3x32x32, but got '{text}'.")
    channels, height, width = map(int, parts)
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

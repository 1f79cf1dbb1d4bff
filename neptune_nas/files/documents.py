"""Documents of JSON and TOML from anywhere: parsed up to a bound, and of a known version."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from datetime import date, time
from typing import Any

from neptune_nas.errors import FileFormatError
from neptune_nas.files.regular import TEXT
from neptune_nas.files.schema import TOO_DEEP, cut, fault

_TOML = 2**20  # characters
_DEEPEST_KEY = 32  # parts; the time and memory that tomllib takes for one grow with its square
_KEY = r"""(?:(?<![\w-])[\w-]{1,100}|"(?:[^"\\\n]|\\.){0,100}"|'[^'\n]{0,100}')"""
_DEEP_KEY = re.compile(rf"(?:{_KEY}[ \t]*\.[ \t]*){{{_DEEPEST_KEY}}}")


def parse_json(text: str, most: int = TEXT) -> Any:
    """Return the value of a JSON text; raises `FileFormatError` if it is malformed.

    `most`: the characters that it may have.
    """
    return _parse(_JSON.decode, text, "JSON", most)


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these names and values; for equal names, Python would keep the last."""
    content = dict(pairs)
    if len(content) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise FileFormatError(f"{cut(name)} occurs twice in one object: remove one of them.")
    return content


_JSON = json.JSONDecoder(object_pairs_hook=_object_of)


def parse_toml(text: str) -> dict[str, Any]:
    """Return the content of a TOML text.

    Raises `FileFormatError` if it is malformed, or has dates or times in it.
    """
    if _DEEP_KEY.search(text[: _TOML + 1]):
        raise FileFormatError(f"it has a key of more than {_DEEPEST_KEY} parts: nest tables less.")
    content: dict[str, Any] = _parse(tomllib.loads, text, "TOML", _TOML)
    _refuse_dates(content)
    return content


def _refuse_dates(content: dict[str, Any]) -> None:
    """Refuse dates and times, which JSON lacks: no field needs them, no database holds them."""
    waiting: list[tuple[Any, Any]] = [((), content)]  # a path is a pair of its start and its end
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, date | time):
            names: list[str] = []
            while path:
                path, name = path
                names.insert(0, str(name))
            words = "a string, a number, true or false, or a list or table of these"
            raise FileFormatError(
                fault(".".join(names), words, value, "put a date or time in quotes")
            )
        inner = value.items() if isinstance(value, dict) else ()
        items = enumerate(value) if isinstance(value, list) else inner
        waiting += [((path, name), item) for name, item in items]


def _parse(loads: Callable[[str], Any], text: str, form: str, most: int) -> Any:
    if len(text) > most:
        raise FileFormatError(
            f"it must have at most {most:,} characters of {form}, but has {len(text):,}."
        )
    try:
        return loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        at = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
        raise FileFormatError(f"it is not valid {form} ({at}{why}).") from error
    except ValueError as error:
        raise FileFormatError("it has a number with more digits than can be read.") from error
    except RecursionError as error:
        raise FileFormatError(TOO_DEEP) from error


def versioned(data: object, version: int, form: str | None = None) -> dict[str, Any]:
    """Return the fields of a document without its version and format, after checking these.

    Raises `FileFormatError` for others.
    """
    if not isinstance(data, dict):
        raise FileFormatError(fault("", "an object", data))
    content = dict(data)
    if form is not None and (got := content.pop("format", None)) != form:
        raise FileFormatError(fault("format", repr(form), got))
    if "version" not in content:
        raise FileFormatError(f"`version` is missing: it must be {version}.")
    got = content.pop("version")
    if type(got) is not int or got != version:
        by_another = "it was written by another version of neptune-nas"
        raise FileFormatError(fault("version", str(version), got, by_another))
    return content

"""What was measured for a study after its search: JSON files beside its database."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.schema import SIZE, Rule, check_fields

T = TypeVar("T")

VERSION = 1


def write_measured(file: Path, content: Mapping[str, Any]) -> None:
    """Write the file, with the version of its form."""
    write_file(file, json.dumps({"version": VERSION, **content}, indent=2) + "\n")


def read_measured(
    file: Path,
    rules: Mapping[str, Rule],
    parse: Callable[[dict[str, Any]], T],
    optional: Collection[str] = (),
) -> T:
    """What `parse` makes of the file, whose fields keep these rules; `optional` ones may lack.

    Raises `FileFormatError` where they do not, and where `parse` says so.
    """
    text = read_file(file)
    try:
        return parse(checked(decoded(text), rules, optional))
    except FileFormatError as error:
        raise FileFormatError(
            f"{file}: {str(error).rstrip('.')}; mend it, or move it away and measure again."
        ) from error


def decoded(text: str) -> dict[str, Any]:
    """The object that a text is."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"it cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise FileFormatError(f"it must hold an object, but holds a {type(content).__name__}")
    return content


def checked(
    content: dict[str, Any], rules: Mapping[str, Rule], optional: Collection[str]
) -> dict[str, Any]:
    """The object, of this version and with fields that keep the rules."""
    if content.get("version") != VERSION:
        raise FileFormatError(
            f"`version` must be {VERSION}, but got {content.get('version')!r}: it was written by "
            f"another version of neptune-nas"
        )
    needed = [name for name in rules if name not in optional]
    return check_fields(content, {"version": SIZE, **rules}, needed=needed)

"""JSON files beside a study's database, for measurements made after its search."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.schema import decode, parse_json, versioned
from neptune_nas.metrics.score import READERS

T = TypeVar("T")

_VERSION = 1


def write_measured(file: Path, content: Mapping[str, Any]) -> None:
    """Write the file, with the version of its format."""
    write_file(file, json.dumps({"version": _VERSION, **content}, indent=2) + "\n")


def read_measured(file: Path, cls: type[T]) -> T:
    """Return the content of a file as a record.

    Raises `FileFormatError` for a field that is unknown, missing or of another type.
    """
    text = read_file(file)
    try:
        return decode(cls, versioned(parse_json(text), _VERSION), readers=READERS)
    except FileFormatError as error:
        raise FileFormatError(
            f"{file}: {str(error).rstrip('.')}; mend it, or move it away and measure again."
        ) from error

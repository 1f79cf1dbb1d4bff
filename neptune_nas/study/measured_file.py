"""What was measured for a study after its search: JSON files beside its database."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from neptune_nas.errors import FileFormatError
from neptune_nas.files import read_file, write_file

T = TypeVar("T")

VERSION = 1


def write_measured(file: Path, content: Mapping[str, Any]) -> None:
    """Write the file, with the version of its form."""
    write_file(file, json.dumps({"version": VERSION, **content}, indent=2) + "\n")


def read_measured(file: Path, parse: Callable[[dict[str, Any]], T]) -> T:
    """What `parse` makes of the file; raises `FileFormatError` for what it cannot."""
    try:
        content = json.loads(read_file(file))
        if content["version"] != VERSION:
            raise FileFormatError(
                f"`version` must be {VERSION}, but got {content['version']!r}: it was written by "
                f"another version of neptune-nas."
            )
        return parse(content)
    except FileFormatError as error:
        raise FileFormatError(f"{file}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(
            f"{file} cannot be read ({type(error).__name__}: {error}): move it away, and measure "
            f"again."
        ) from error

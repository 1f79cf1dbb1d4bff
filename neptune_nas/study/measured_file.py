"""JSON files beside a study's database, for measurements made after its search."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.documents import parse_json, versioned
from neptune_nas.files.schema import Readers, check_value, decode
from neptune_nas.metrics.score import Score, score_in, score_to_json

T = TypeVar("T")

_VERSION = 1


def write_measured(file: Path, content: Mapping[str, Any]) -> None:
    """Write the file, with the version of its format."""
    write_file(file, json.dumps({"version": _VERSION, **content}, indent=2) + "\n")


def traced_json(score: Score) -> dict[str, Any]:
    """Return a score as JSON, with the traceback of its failure if there is one."""
    content = score_to_json(score)
    return content if score.trace is None else {**content, "trace": score.trace}


def _traced_score(data: Any, path: str) -> Score:
    """Return the score that `traced_json` wrote, checked."""
    if not isinstance(data, Mapping) or "trace" not in data:
        return score_in(data, path)
    check_value(data["trace"], str | None, f"{path}.trace", FileFormatError)
    plain = {name: value for name, value in data.items() if name != "trace"}
    return replace(score_in(plain, path), trace=data["trace"])


_READERS: Readers = {Score: _traced_score}


def read_measured(file: Path, cls: type[T]) -> T:
    """Return the content of a file as a record.

    Raises `FileFormatError` for a field that is unknown, missing or of another type.
    """
    text = read_file(file)
    try:
        return decode(cls, versioned(parse_json(text), _VERSION), readers=_READERS)
    except FileFormatError as error:
        raise FileFormatError(
            f"{file}: {str(error).rstrip('.')}; repair it, or move it away and measure again."
        ) from error

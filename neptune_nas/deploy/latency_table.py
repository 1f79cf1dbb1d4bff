"""Measured latencies in a CSV file: a study's own, or measured elsewhere.

Columns: `architecture`, its JSON; `latency_ms`; and those that may be missing: `key`, of the
network, `spread_ms`, and `use`, "fit" (the default) or "pick".
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from neptune_nas.architecture.codec import from_json, key, to_json
from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.documents import parse_json
from neptune_nas.files.rules import FINITE, above, at_least
from neptune_nas.files.schema import check_names, decode, fault, located
from neptune_nas.nn.model_zoo import ZOO

_COLUMNS = ("key", "latency_ms", "spread_ms", "use", "architecture")
_NEEDED = ("latency_ms", "architecture")


@dataclass(frozen=True, slots=True)
class Measured:
    """The latency of one network, in ms; `architecture` is JSON.

    `spread_ms`: the interquartile range. `use`: whether predictions are fitted to it, or it was
    measured since a search recommends the network.
    """

    architecture: str
    latency_ms: Annotated[float, above(0), FINITE]
    key: str = ""
    spread_ms: Annotated[float, at_least(0), FINITE] = 0.0
    use: Literal["fit", "pick"] = "fit"


def measured(
    architecture: Any, latency_ms: float, spread_ms: float, use: Literal["fit", "pick"] = "fit"
) -> Measured:
    """Return the row of an architecture."""
    text = json.dumps(to_json(architecture))
    return Measured(text, latency_ms, key(architecture), spread_ms, use)


def architecture_in(row: Measured, allow: Iterable[type] = ()) -> Any:
    """Return the architecture of a row; `allow`: a user's classes that it may name.

    Raises `FileFormatError` for one that is malformed, and where the row has another's key.
    """
    found = from_json(parse_json(row.architecture), (*ZOO, *allow))
    if row.key and row.key != key(found):
        raise FileFormatError(fault("key", f"{key(found)}, of its architecture", row.key))
    return found


def read_latencies(file: Path) -> tuple[Measured, ...]:
    """Return the rows of a file; raises `FileFormatError` that names a wrong row and column."""
    rows = csv.DictReader(io.StringIO(read_file(file).removeprefix("\ufeff")))
    with located(file):
        try:
            names = dict.fromkeys(rows.fieldnames or (), "")
            check_names(names, _COLUMNS, _NEEDED)
            return tuple(_row(each, number) for number, each in enumerate(rows, start=1))
        except csv.Error as error:
            raise FileFormatError(f"it is no CSV: {error}.") from error


def _row(cells: Mapping[Any, Any], number: int) -> Measured:
    """Return one row, checked."""
    values: dict[str, Any] = {name: text for name, text in cells.items() if text}
    for name in ("latency_ms", "spread_ms"):
        with suppress(KeyError, ValueError):  # the schema says what is wrong
            values[name] = float(values[name])
    with located(f"row {number}"):
        if None in values:
            raise FileFormatError(f"it has more than {len(cells) - 1} cells.")
        return decode(Measured, values)


def write_latencies(file: Path, rows: Iterable[Measured]) -> None:
    """Write the rows as a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([getattr(row, name) for name in _COLUMNS] for row in rows)
    write_file(file, text.getvalue())

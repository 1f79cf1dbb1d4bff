"""The file formats of tables of trained networks, each plain or gzipped.

NAS-Bench-Macro's published JSON (Su et al. 2021, arXiv 2103.11922): for each code, one digit per
decision, the `test_acc` of several training runs.

CSV, one measurement per row: the network (a column `code` as above, or one column per decision,
named by its path, with the option as `str` writes it, empty where the decision does not arise), the
scores (`accuracy` or `test_acc`; `loss`), and, where there are several, its `seed` and `fidelity`
(or `epochs`). Further columns are costs, or notes where they are not numbers. A column without a
name is ignored, since pandas writes its index so. Options that are numbers are compared as numbers,
since pandas writes `8.0` for 8 in a column with empty cells. An empty cell is the option None where
there is one and the decision arises, since pandas writes None so.

Accuracies may be shares or percent: if any is above 1, all are percent, and most must be above 1.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path
from statistics import median
from typing import Any

from neptune_nas.errors import DataError, FileFormatError
from neptune_nas.evaluators.table_costs import check_costs, merge_costs
from neptune_nas.evaluators.table_networks import Code, TableNetworks, code_of_digits
from neptune_nas.files.atomic import text_of
from neptune_nas.files.documents import parse_json
from neptune_nas.files.regular import TABLE, TEXT, read_bytes, unzipped
from neptune_nas.files.rules import Number, words_for
from neptune_nas.files.schema import fault, located
from neptune_nas.metrics.registry import CLASSIFICATION, COST, MACS, PARAMS, SCORED
from neptune_nas.space import Space

_PACKED = 2**26  # bytes: a file may hold millions of empty members, each of which takes time
_MOST_ROWS = 2_000_000  # about a kilobyte of memory each
ONLY = 0  # fidelity of a table that names none: the lowest, so that it answers at any
_MAIN = CLASSIFICATION[0].name
_FURTHER = tuple(each.name for each in SCORED if each.name != _MAIN)
_ALIASES = {"test_acc": _MAIN, "epochs": "fidelity"}
_MEASURED = {_MAIN, *_FURTHER, "seed", "fidelity", "code"}


@dataclass(frozen=True, slots=True)
class TableRow:
    """One measurement of one network."""

    code: Code
    values: Mapping[str, float]
    seed: int
    fidelity: int
    costs: Mapping[str, float]


def read_rows(path: Path, space: Space[Any], most: int = _MOST_ROWS) -> list[TableRow]:
    """Return all measurements in a file, accuracies in 0..1; errors name the place in it.

    `most`: the rows that a CSV file may have.
    """
    return rows_in(read_table(path), path, space, most)


def read_table(path: Path) -> bytes:
    """Return the bytes of a table's file as they are, gzipped or not."""
    most = _most_bytes(path)
    with _table_errors(path):
        return read_bytes(path, min(most, _PACKED) if path.suffix == ".gz" else most)


def rows_in(
    content: bytes, path: Path, space: Space[Any], most: int = _MOST_ROWS
) -> list[TableRow]:
    """Return all measurements in the bytes of the file at `path`, as `read_rows` does."""
    with _table_errors(path):
        is_packed = path.suffix == ".gz"
        text = text_of(path, unzipped(path, content, _most_bytes(path)) if is_packed else content)
    try:
        rows = list(
            _json_rows(text, space, path) if _is_json(path) else _csv_rows(text, space, path, most)
        )
    except csv.Error as error:  # a cell of more than 131,072 characters
        raise FileFormatError(f"{path} cannot be read as a table: {error}.") from error
    if not rows:
        raise FileFormatError(f"{path} has no measurements: it needs one per row.")
    if (largest := max(row.values[_MAIN] for row in rows)) > 1:
        if median(row.values[_MAIN] for row in rows) <= 1:
            raise FileFormatError(
                f"{path}: accuracies must be all shares or all percent, but most are at most 1 and "
                f"one is {largest:g}."
            )
        rows = [replace(r, values={**r.values, _MAIN: r.values[_MAIN] / 100}) for r in rows]
    if worst := next((row for row in rows if not 0 <= row.values[_MAIN] <= 1), None):
        raise FileFormatError(
            f"{path}: accuracies must lie in 0..1 or in 0..100 percent, "
            f"but one is {worst.values[_MAIN]!r}."
        )
    return rows


def _is_json(path: Path) -> bool:
    return ".json" in path.suffixes


def _most_bytes(path: Path) -> int:
    """Return how many bytes a table may have, unpacked."""
    return TEXT if _is_json(path) else TABLE


@contextmanager
def _table_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileFormatError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise FileFormatError(f"there is no table {path}.") from error
        raise FileFormatError(f"{path} cannot be read as a table: {error}") from error


def _json_rows(text: str, space: Space[Any], path: Path) -> Iterator[TableRow]:
    with located(path):
        table = parse_json(text)
    if not isinstance(table, dict):
        raise FileFormatError(f"{path} must map codes to measurements, but is a list or a value.")
    for digits, entry in table.items():
        where = f"{path}, network {digits}"
        code = code_of_digits(digits, space, where)
        runs = entry.get("test_acc") if isinstance(entry, dict) else None
        if not isinstance(runs, list) or not runs:
            raise FileFormatError(f"{where}: {fault('test_acc', 'a list of accuracies', runs)}")
        costs = _costs(entry, where)
        for seed, accuracy in enumerate(runs):
            yield TableRow(code, {_MAIN: _number(accuracy, "test_acc", where)}, seed, ONLY, costs)


def _costs(entry: Mapping[str, Any], where: str) -> dict[str, float]:
    """Return the costs of a JSON entry, whose `flops` are multiply-adds, as its authors count."""
    macs, params = (_number(entry.get(name), name, where) for name in ("flops", "params"))
    costs = {COST.name: 2 * macs, MACS.name: macs, PARAMS.name: params}
    check_costs(costs, where)
    return costs


def _csv_rows(text: str, space: Space[Any], path: Path, most: int) -> Iterator[TableRow]:
    reader = csv.reader(_lines(text))
    header = next(filter(None, reader), [])
    columns = [_ALIASES.get(name, name) for name in header]
    names = [name for name in columns if name]
    if _MAIN not in names:
        raise FileFormatError(
            f"{path} needs a column {_MAIN} or test_acc, but has: {', '.join(names) or 'nothing'}."
        )
    for name in dict.fromkeys(names):
        if len(alike := [each for each in header if _ALIASES.get(each, each) == name]) > 1:
            raise FileFormatError(
                f"{path} has {len(alike)} columns for {name} ({', '.join(alike)}): keep one."
            )
    networks = TableNetworks(space, names)
    if not {"code", *networks.columns} & {*names}:
        raise DataError(
            f"{path} needs a column for each decision of space '{space.name}' "
            f"({', '.join(networks.columns)}), or `code`, but has: {', '.join(names)}."
        )
    runs: set[tuple[Code, int, int]] = set()
    joined: dict[Code, dict[str, float]] = {}
    costs = [name for name in names if name not in _MEASURED | {*networks.columns}]
    for number, line in enumerate(filter(None, reader)):
        if number == most:
            raise FileFormatError(f"{path} must have at most {most:,} rows: keep fewer.")
        where = f"{path}, line {reader.line_num}"
        if len(line) != len(columns):
            raise FileFormatError(f"{where}: it needs {len(columns)} cells, one per column.")
        cells = dict(zip(columns, line, strict=True))
        row = TableRow(
            _code(cells, networks, where),
            {
                name: _number(cells[name], name, where)
                for name in (_MAIN, *_FURTHER)
                if name == _MAIN or cells.get(name)
            },
            _whole_number(cells.get("seed") or 0, "seed", where),
            _whole_number(cells.get("fidelity") or ONLY, "fidelity", where),
            dict(_further(cells, costs)),
        )
        if row.costs != joined.get(row.code):
            check_costs(row.costs, where)
            joined[row.code] = merge_costs(joined.get(row.code, {}), row.costs, where)
        if cells.get("seed"):
            _note_run(runs, row, where)
        yield row


def _code(cells: Mapping[str, str], networks: TableNetworks, where: str) -> Code:
    """Return the code of the network that a row names."""
    if cells.get("code"):
        return code_of_digits(cells["code"], networks.space, where)
    return networks.code(tuple([cells.get(path, "") for path in networks.columns]), where)


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text one by one, since all together take more memory than the text."""
    end = 0
    while end < len(text):
        start, end = end, text.find("\n", end) + 1 or len(text)
        yield text[start:end]


def _note_run(runs: set[tuple[Code, int, int]], row: TableRow, where: str) -> None:
    """Refuse a run that an earlier row already has, which would count twice."""
    run = (row.code, row.fidelity, row.seed)
    if run in runs:
        at = f" and fidelity {row.fidelity}" if row.fidelity != ONLY else ""
        raise FileFormatError(
            f"{where}: an earlier row has seed {row.seed}{at} of the same network: remove one of "
            f"them, or give each training run a seed of its own."
        )
    runs.add(run)


def _further(cells: Mapping[str, str], names: Iterable[str]) -> Iterator[tuple[str, float]]:
    for name in names:
        try:
            yield name, float(cells[name])
        except ValueError:
            continue  # a note, not a cost


def _number(cell: object, name: str, where: str) -> float:
    try:
        value = nan if isinstance(cell, bool) else float(cell)  # type: ignore[arg-type]  # anything but a number raises
    except (TypeError, ValueError, OverflowError):
        value = nan
    if not isfinite(value):
        raise FileFormatError(f"{where}: {fault(name, words_for(Number), cell)}")
    return value


def _whole_number(cell: object, name: str, where: str) -> int:
    value = _number(cell, name, where)
    if not value.is_integer():
        raise FileFormatError(f"{where}: {fault(name, words_for(int), cell)}")
    return int(value)

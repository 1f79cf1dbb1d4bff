"""Tables of trained networks: CSV and JSON, plain and gzipped."""

import csv
import gzip
import io
from codecs import BOM_UTF8
from pathlib import Path
from random import Random
from typing import Any

from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.evaluators.table_file import TableRow, read_rows
from neptune_nas.space import Space, choice
from tests.fuzzing import mutations
from tests.fuzzing.oracle import Case, Fault, Kind, command, json_in, require_kept
from tests.fuzzing.runner import MakeCase

SPACE: Space[Any] = Space(
    "codes", Architecture(stages=(Stage(width=choice(8, 16, 24), norm=choice("lrn", "mln")),))
)
SPACE_FILE = """from neptune_nas import Architecture, Space, Stage, choice
SPACE = Space(
    "codes", Architecture(stages=(Stage(width=choice(8, 16, 24), norm=choice("lrn", "mln")),))
)
"""
PATHS = [decision.path for decision in SPACE.decisions]
CODES = [f"{width}{norm}" for width in range(3) for norm in range(2)]
CELLS = (
    *("", " ", "nan", "inf", "-1", "0", "1", "2", "100", "101", "1e308", "1e400", "0.5", ".5"),
    *("5.", "1_0", "0x1", "\u0661", "\xbd", "true", "None", "01", "99", "-01", "0 1", "1;2", "1,5"),
    *("7" * 5000, "a" * 140000, "\0", "\x1b[31m", "\u2028", "\x1c", "\t", '"', '"a\nb"', "a,b"),
    *("=1+1", "8.0", "16", "lrn ", "LRN", "mln"),
)
COLUMNS = (
    *("", "code", "accuracy", "test_acc", "loss", "seed", "fidelity", "epochs", "flops", "macs"),
    *("x", "latency", *PATHS),
)


def open_reader(folder: Path) -> MakeCase:
    """Return what makes cases of tables of a space with six networks."""
    (folder / "codes.py").write_text(SPACE_FILE)
    for name, text in (("a.csv", _csv(_rows(True))), ("b.csv", _csv(_rows(False)))):
        (folder / name).write_text(text)
        read_rows(folder / name, SPACE)

    def make(rng: Random, given: Path) -> Case:
        file = given / f"table{rng.choice(('.csv', '.csv', '.json', '.csv.gz', '.json.gz'))}"
        label = f"{file.name}: {_write(file, rng)}"
        by_command = rng.random() < 0.3
        return Case(label, lambda: _read(file, folder / "codes.py", by_command))

    return make


def _rows(coded: bool) -> list[list[str]]:
    """Return a table as cells, with its head."""
    named = ["code"] if coded else PATHS
    head = [*named, "accuracy", "loss", "seed", "fidelity", "flops", "params", "latency"]
    rows = [head]
    for i, code in enumerate(CODES):
        width, norm = map(int, code)
        names = [code] if coded else [("8", "16", "24")[width], ("lrn", "mln")[norm]]
        rows += [
            [*names, f"0.{50 + i + seed}", "1.5", f"{seed}", "3", f"{i + 1}00", "50", "0.001"]
            for seed in range(2)
        ]
    return rows


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _json() -> dict[str, Any]:
    return {
        code: {"test_acc": [90.0 + i, 91.0], "flops": 100 + i, "params": 50 + i}
        for i, code in enumerate(CODES)
    }


def _write(file: Path, rng: Random) -> str:
    how, label = rng.random(), ""
    if ".json" in file.suffixes:
        content = _json()
        label = mutations.change_document(content, rng, (*CODES, *CELLS)) if how < 0.7 else ""
        data = mutations.to_json(content)
    else:
        rows = _rows(rng.random() < 0.6)
        label = _change_cells(rows, rng) if how < 0.7 else ""
        data = _csv(rows).encode("utf-8", "surrogatepass")
    if 0.7 <= how < 0.85:
        data, label = mutations.change_bytes(data, rng)
    if file.suffix == ".gz":
        data = gzip.compress(data, 1, mtime=0)
        if how > 0.96:
            data, label = gzip.compress(bytes(2**20), mtime=0) * 3000, "3 GB of zeros, compressed"
        elif how > 0.9:
            data, label = mutations.change_bytes(data, rng)
    file.write_bytes(data)
    return label or mutations.change_file(file, rng)


def _change_cells(rows: list[list[str]], rng: Random) -> str:
    done = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        row = rng.randrange(len(rows))
        if len(rows[0]) < 2 or not rows[row]:  # earlier changes have left too little
            break
        column = rng.randrange(len(rows[0]) - 1)
        kind = rng.choice((*("cell",) * 4, "head", "row", "short", "long", "column", "twice"))
        if kind == "cell":
            column = min(column, len(rows[row]) - 1)
            rows[row][column] = chosen = rng.choice(CELLS)
            done.append(f"{row}:{column} = {chosen[:30]!r}")
            continue
        if kind == "head":
            rows[0][column] = chosen = rng.choice(COLUMNS)
            done.append(f"column {column} is {chosen!r}")
            continue
        done.append(f"{kind} {row}:{column}")
        if kind == "row":
            rows.insert(row, [*rows[row]])
        elif kind == "short":
            rows[row] = rows[row][:column]
        elif kind == "long":
            rows[row].append("9")
        elif kind == "column":
            for each in rows:
                del each[column : column + 1]
        else:
            rows[0].append(rows[0][column])
            for each in rows[1:]:
                each.append(rng.choice(("9", each[column] if column < len(each) else "")))
    return "; ".join(done)


def _read(file: Path, space: Path, by_command: bool) -> None:
    if by_command:
        command("search", "--space", space, "--table", file, "--dry-run", "--trials", 3)
    rows = read_rows(file, SPACE)
    data = file.read_bytes()
    if file.suffix == ".gz":
        data = gzip.decompress(data)
    if ".json" in file.suffixes:
        _require_all_of_json(json_in(data.removeprefix(BOM_UTF8)), rows)
    else:
        _require_all_of_csv(data.decode("utf-8-sig"), rows)
    again = file.with_name("again.csv")
    again.write_text(_csv(_written(rows)))
    if _written(read_rows(again, SPACE)) != _written(rows):
        raise Fault(Kind.SILENT, "written and read again, it is another table")
    again.unlink()


def _written(rows: list[TableRow]) -> list[list[str]]:
    """Return rows as the cells of a table of codes."""
    costs = list(dict.fromkeys(name for row in rows for name in row.costs))
    head = ["code", "accuracy", "loss", "seed", "fidelity", *costs]
    cells = [
        [
            "".join(map(str, row.code)),
            repr(row.values["accuracy"]),
            repr(row.values["loss"]) if "loss" in row.values else "",
            *(str(row.seed) if row.seed else "", str(row.fidelity)),  # no seed is 0, several times
            *(repr(row.costs[name]) if name in row.costs else "" for name in costs),
        ]
        for row in rows
    ]
    return [head, *cells]


def _require_all_of_json(table: Any, rows: list[TableRow]) -> None:
    found = [(row.code, row.values["accuracy"]) for row in rows]
    given = [
        (tuple(map(int, code)), float(run))
        for code, each in table.items()
        for run in each["test_acc"]
    ]
    scale = 100 if any(accuracy > 1 for _, accuracy in given) else 1
    require_kept([(code, run / scale) for code, run in given], found)


def _require_all_of_csv(text: str, rows: list[TableRow]) -> None:
    """Compare the rows with what Python's own reader finds in a table."""
    try:
        head, *lines = (line for line in csv.reader(io.StringIO(text, newline="")) if line)
    except (csv.Error, ValueError) as error:
        raise Fault(Kind.SILENT, "accepted, but no table", str(error)) from error
    aliases = {"test_acc": "accuracy", "epochs": "fidelity"}
    names = [aliases.get(name, name) for name in head]
    for name in {*names} & {"accuracy", "loss", "seed", "fidelity", "code", *PATHS}:
        columns = [i for i, each in enumerate(names) if each == name]
        if len({tuple(line[i] for line in lines if i < len(line)) for i in columns}) > 1:
            raise Fault(Kind.SILENT, "a column is there twice, with two contents", name)
    if len(lines) != len(rows):
        raise Fault(Kind.SILENT, "rows were left out", f"{len(lines)} became {len(rows)}")
    place = names.index("accuracy")
    given = [float(line[place]) for line in lines]
    scale = 100 if max(given) > 1 else 1
    require_kept([each / scale for each in given], [row.values["accuracy"] for row in rows])

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from neptune_nas.architecture.records import Architecture, Attention, Conv, Stage
from neptune_nas.errors import DataError, FileFormatError
from neptune_nas.evaluators.table_file import read_rows
from neptune_nas.evaluators.table_networks import code_of
from neptune_nas.space import Space, choice, optional

SPACE = Space(
    "tiny",
    Architecture(
        stages=(
            Stage(
                width=choice(8, 16),
                substages=(choice(Conv(), Attention(heads=choice(2, 4))),),
            ),
        )
    ),
)
WIDTH, BLOCK, HEADS = (decision.path for decision in SPACE.decisions)
CONV = "Conv(kernel=3, groups=1)"
CODES = Space(
    "codes", Architecture(stages=(Stage(width=choice(8, 16), norm=choice("lrn", "mln")),))
)


@dataclass(frozen=True)
class Free:
    """A record with a field for any value."""

    x: object


def table(tmp_path: Path, content: str | dict[str, Any], name: str = "table.csv") -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def row(runs: object = (90.0, 91.0), **costs: object) -> dict[str, object]:
    return {"test_acc": runs, "flops": 5, "params": 7, **costs}


def test_json_has_a_row_a_training_run(tmp_path: Path) -> None:
    rows = read_rows(table(tmp_path, {"01": row()}, "table.json"), CODES)
    assert [(r.code, r.values["accuracy"], r.seed) for r in rows] == [
        ((0, 1), 0.9, 0),
        ((0, 1), 0.91, 1),
    ]


def test_jsons_flops_are_multiply_adds(tmp_path: Path) -> None:
    rows = read_rows(table(tmp_path, {"01": row()}, "table.json"), CODES)
    assert rows[0].costs == {"flops": 10.0, "macs": 5.0, "params": 7.0}


def test_a_gzipped_table_reads_the_same(tmp_path: Path) -> None:
    plain = table(tmp_path, {"01": row()}, "table.json")
    zipped = tmp_path / "table.json.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert repr(read_rows(zipped, CODES)) == repr(read_rows(plain, CODES))


def test_csv_names_decisions_by_their_paths(tmp_path: Path) -> None:
    lines = f'{WIDTH},{BLOCK},{HEADS},accuracy,loss\n16,"{CONV}",,0.5,1.5\n8,Attention,4,0.6,1.2\n'
    rows = read_rows(table(tmp_path, lines), SPACE)
    assert [(r.code, r.values["accuracy"], r.values["loss"]) for r in rows] == [
        ((1, 0, -1), 0.5, 1.5),
        ((0, 1, 1), 0.6, 1.2),
    ]


def test_more_rows_than_memory_holds_are_refused(tmp_path: Path) -> None:
    file = table(tmp_path, "code,accuracy\n" + "\n00,0.5\n" * 3)
    assert len(read_rows(file, CODES, most=3)) == 3
    with pytest.raises(FileFormatError, match=r"table\.csv must have at most 2 rows"):
        read_rows(file, CODES, most=2)


def test_a_packed_file_of_countless_empty_members_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.csv.gz"
    with file.open("wb") as sparse:
        sparse.truncate(2**26 + 1)
    with pytest.raises(FileFormatError, match="too large: it must have at most 64 MiB"):
        read_rows(file, CODES)


def test_whole_numbers_may_be_written_as_pandas_does_in_columns_with_gaps(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [
            {WIDTH: 16, BLOCK: CONV, "accuracy": 0.5},
            {WIDTH: 8, BLOCK: "Attention", HEADS: 4, "accuracy": 0.6, "seed": 2, "epochs": 9},
        ]
    )
    lines = frame.to_csv(index=False)
    assert lines.endswith("8,Attention,0.6,4.0,2.0,9.0\n")
    rows = read_rows(table(tmp_path, lines), SPACE)
    assert [(r.code, r.seed, r.fidelity) for r in rows] == [((1, 0, -1), 0, 0), ((0, 1, 1), 2, 9)]


def test_an_option_that_is_written_so_itself_is_taken_as_it_is(tmp_path: Path) -> None:
    space = Space("numbers", Free(choice(2.0, 4, "v4.0")))
    rows = read_rows(table(tmp_path, "x,accuracy\n2.0,0.1\n4.0,0.2\n4,0.3\nv4.0,0.4\n"), space)
    assert [row.code for row in rows] == [(0,), (1,), (1,), (2,)]


def test_options_that_are_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    space = Space("rates", Free(choice(0.01, 100, False, "x")))
    cells = ("0.010", "1E-02", "1.0E+02", "100.00", "False", "x")
    lines = "x,accuracy\n" + "".join(f"{cell},0.5\n" for cell in cells)
    found = [row.code for row in read_rows(table(tmp_path, lines), space)]
    assert found == [(0,), (0,), (1,), (1,), (2,), (3,)]
    with pytest.raises(DataError, match=r"is one of 0\.01, 100, False, x, but is '0'"):
        read_rows(table(tmp_path, "x,accuracy\n0,0.5\n"), space)


def test_a_table_of_excel_begins_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("code,accuracy\n01,0.5\n", encoding="utf-8-sig")
    assert [row.code for row in read_rows(path, CODES)] == [(0, 1)]


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame([{"code": "01", "accuracy": 0.5, "flops": 9}])
    lines = frame.to_csv()
    assert lines.startswith(",code")
    (found,) = read_rows(table(tmp_path, lines), CODES)
    assert (found.code, found.costs) == ((0, 1), {"flops": 9.0})
    with pytest.raises(FileFormatError, match="line 3: it needs 4 cells"):
        read_rows(table(tmp_path, lines + "1,01,0.6\n"), CODES)


MAYBE = Space(
    "maybe", Free(choice(Free(choice(None, 3)), Free(Free(optional(Free(choice(1, 2)))))))
)
OUTER, FIRST, SECOND, INNER = (decision.path for decision in MAYBE.decisions)


def test_an_empty_cell_is_none_where_the_decision_arises(tmp_path: Path) -> None:
    picks = [MAYBE.picks(network) for network in MAYBE]
    assert [None in row.values() for row in picks].count(True) > 0
    frame = pd.DataFrame([{**row, "accuracy": 0.5} for row in picks])
    path = table(tmp_path, frame.to_csv(index=False))
    codes = [code_of(MAYBE, network) for network in MAYBE]
    assert [row.code for row in read_rows(path, MAYBE)] == codes
    pd.read_csv(path).to_csv(path)
    assert [row.code for row in read_rows(path, MAYBE)] == codes


def test_a_column_that_is_not_there_is_not_none(tmp_path: Path) -> None:
    lines = f"{OUTER},{SECOND},{INNER},accuracy\n{MAYBE.decisions[0].options[0]},,,0.5\n"
    with pytest.raises(DataError, match=r"line 2 is not a network of the space: .* got no pick"):
        read_rows(table(tmp_path, lines), MAYBE)


def test_csv_may_have_codes_seeds_epochs_costs_and_notes(tmp_path: Path) -> None:
    lines = "code,test_acc,seed,epochs,flops,note\n01,50,2,9,100,fine\n"
    (found,) = read_rows(table(tmp_path, lines), CODES)
    assert (found.code, found.values, found.seed, found.fidelity) == (
        (0, 1),
        {"accuracy": 0.5},
        2,
        9,
    )
    assert found.costs == {"flops": 100.0}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("code,loss\n01,1\n", "needs a column accuracy or test_acc, but has: code, loss"),
        ("", "needs a column accuracy or test_acc, but has: nothing"),
        ("code,accuracy\n", "has no measurements"),
        (
            "code,accuracy,accuracy\n01,.5,.6\n",
            r"has 2 columns for accuracy \(accuracy, accuracy\): keep one",
        ),
        ("code,accuracy,test_acc\n01,.5,.6\n", r"for accuracy \(accuracy, test_acc\)"),
        ("code,code,accuracy\n01,11,.5\n", "2 columns for code"),
        ("code,accuracy,x,x\n01,.5,1,2\n", "2 columns for x"),
        ("code,accuracy\n01\n", "line 2: it needs 2 cells, one per column"),
        ("code,accuracy\n01,0.5,9\n", "line 2: it needs 2 cells, one per column"),
        ("code,accuracy\n01,good\n", "line 2: `accuracy` must be a finite number, but got 'good'"),
        ("code,accuracy\n01,nan\n", "line 2: `accuracy` must be a finite number, but got 'nan'"),
        ("code,accuracy\n00,0.5\n01,63\n10,0.7\n", "most are at most 1 and one is 63"),
        ("code,accuracy,seed\n01,0.5,.5\n", "line 2: `seed` must be a whole number, but got '.5'"),
        ("code,accuracy,epochs\n01,0.5,8.5\n", "`fidelity` must be a whole number, but got '8.5'"),
        ("code,accuracy\n01,-0.5\n", "must lie in 0..1 or in 0..100 percent, but one is -0.5"),
        (
            "code,accuracy,flops\n01,.5,-1\n",
            "2: `flops` must be a finite number of at least 1, but got -1",
        ),
        (
            "code,accuracy,flops\n01,.5,0\n",
            "2: `flops` must be a finite number of at least 1, but got 0",
        ),
        (
            "code,accuracy,macs\n01,.5,inf\n",
            "2: `macs` must be a finite number of at least 1, but got inf",
        ),
        (
            "code,accuracy,params\n01,.5,nan\n",
            "`params` must be a finite number of at least 0, but",
        ),
        (
            "code,accuracy,latency\n01,.5,-1\n",
            "2: `latency` must be a finite number of at least 0",
        ),
        (
            "code,accuracy,flops\n01,.5,9\n11,.5,8\n01,.5,\n01,.5,8\n",
            "line 5: `flops` is 8.0, but 9.0 in an earlier row of the same network: give the same",
        ),
        (
            "code,accuracy,seed\n01,.5,3\n11,.5,3\n01,.6,3\n",
            "line 4: an earlier row has seed 3 of the same network: remove one",
        ),
        (
            "code,accuracy,seed,epochs\n01,.5,3,1\n01,.5,3,2\n01,.6,3,2\n",
            "line 4: an earlier row has seed 3 and fidelity 2 of the same network",
        ),
        ("code,accuracy\n01,250\n", "must lie in 0..1 or in 0..100 percent, but one is 2.5"),
    ],
)
def test_malformed_csv_is_refused_with_the_place(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(FileFormatError, match=says):
        read_rows(table(tmp_path, content), CODES)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[1, 2]", "must map codes to measurements"),
        ("{", "is not valid JSON"),
        (
            '{"01": {"test_acc": 3}}',
            "network 01: `test_acc` must be a list of accuracies, but got 3",
        ),
        ('{"01": {"test_acc": [3]}}', "network 01: `flops` must be a finite number, but got None"),
        (
            '{"01": {"test_acc": [3], "flops": 0, "params": 1}}',
            "01: `flops` must be a finite number of at least 1",
        ),
        ("{}", "has no measurements"),
    ],
)
def test_malformed_json_is_refused_with_the_place(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(FileFormatError, match=says):
        read_rows(table(tmp_path, content, "table.json"), CODES)


@pytest.mark.parametrize("code", ["0", "011", "02", "x1"])
def test_codes_of_another_space_are_refused(tmp_path: Path, code: str) -> None:
    with pytest.raises(DataError, match="is it a table of another space"):
        read_rows(table(tmp_path, {code: row()}, "table.json"), CODES)


def test_a_table_without_the_spaces_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a column for each decision of space .*, but has: arch"):
        read_rows(table(tmp_path, "arch,accuracy\na,0.5\n"), SPACE)


@pytest.mark.parametrize("width", ["64", "8.5", "64.0", "8.0.0", "8."])
def test_picks_of_another_space_are_refused(tmp_path: Path, width: str) -> None:
    lines = f"{WIDTH},{BLOCK},{HEADS},accuracy\n{width},Attention,4,0.5\n"
    says = rf"line 2: `stages\.0\.width` of space 'tiny' is one of 8, 16, but is '{width}'"
    with pytest.raises(DataError, match=says):
        read_rows(table(tmp_path, lines), SPACE)


def test_picks_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    lines = f"{WIDTH},{BLOCK},{HEADS},accuracy\n8,Attention,,0.5\n"
    with pytest.raises(DataError, match="line 2 is not a network of the space"):
        read_rows(table(tmp_path, lines), SPACE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="there is no table"):
        read_rows(tmp_path / "table.csv", SPACE)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("table.csv", f"code,accuracy\n01,{'5' * 200_000}\n", "field larger than field limit"),
        ("table.csv", f"code,accuracy,{'x' * 5000}\n01,nan,\n", "`accuracy` must be a finite"),
        ("table.csv", f"code,accuracy\n{'0' * 5000},0.5\n", "is it a table of another space"),
        ("table.csv", "code,accuracy\n01,1e400\n", "`accuracy` must be a finite number"),
        ("table.csv", f"code,accuracy,seed\n01,0.5,{'9' * 5000}\n", "`seed` must be a finite"),
        ("table.csv", "code,accuracy\n01,\0\n", "`accuracy` must be a finite number, but got"),
        ("table.json", "[" * 10**6, "nested too deeply"),
        (
            "table.json",
            '{"01": {"flops": 1, "params": 1, "test_acc": [true]}}',
            "must be a finite number, but got True",
        ),
        ("table.json", f'{{"01": {"9" * 5000}}}', "more digits than can be read"),
        ("table.json", f'{{"{"0" * 5000}": {{}}}}', "is it a table of another space"),
        (
            "table.json",
            '{"01": {"flops": 1, "params": 1, "test_acc": [1e400]}}',
            "must be a finite number, but got inf",
        ),
        (
            "table.csv.gz",
            gzip.compress(bytes(2**20), mtime=0) * 512,
            "too large: it must have at most 256 MiB",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_sizes_beyond_reason_are_refused_in_a_line(
    tmp_path: Path, name: str, content: str | bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((FileFormatError, DataError), match=says) as no:
        read_rows(path, CODES)
    assert len(str(no.value)) < 800


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"code,accuracy\n01,0.5\n")[:-9])
    with pytest.raises(FileFormatError, match="cannot be read as a table"):
        read_rows(path, CODES)

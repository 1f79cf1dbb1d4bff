"""SQLite files whose content could hang a reader are refused; others are left as they are."""

import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from neptune_nas.errors import StudyError
from neptune_nas.study.database_url import sqlite_url
from neptune_nas.study.store import open_store
from tests.study.builders import contents, store_in
from tests.study.sqlite_readers import READERS, execute, leading_in_circles, tree_node
from tests.study.test_store import added

ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r)"


GENERATED = "value_json TEXT AS (printf('%.*c', 1000000000, 'x'))"


COMPUTED = {
    "view of a table": (
        "ALTER TABLE trials RENAME TO other; CREATE VIEW trials AS WITH RECURSIVE more AS "
        "(SELECT * FROM other UNION ALL SELECT * FROM more) SELECT * FROM more"
    ),
    "view of an optional table": (
        f"DROP TABLE study_user_attributes; CREATE VIEW study_user_attributes AS {ENDLESS} "
        "SELECT x AS study_id, 'k' AS key, '1' AS value_json FROM r WHERE x < 0"
    ),
    "view beside the tables": f"CREATE VIEW other AS {ENDLESS} SELECT x FROM r",
    "view that says it is a table": (
        f"CREATE VIEW other AS {ENDLESS} SELECT x FROM r; PRAGMA writable_schema = 1; "
        "UPDATE sqlite_master SET type = 'table', rootpage = 2 WHERE name = 'other'"
    ),
    "trigger": (
        f"CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM studies WHERE study_id IN "
        f"({ENDLESS} SELECT x FROM r WHERE x < 0); END"
    ),
    "virtual table": "CREATE VIRTUAL TABLE other USING fts5(a)",
    "generated column": f"ALTER TABLE trials ADD COLUMN {GENERATED}",
    "table under another name": (
        f"DROP TABLE trial_params; CREATE TABLE trial_params (trial_id, {GENERATED}); "
        f"PRAGMA writable_schema = 1; UPDATE sqlite_master SET name = 'x', tbl_name = 'x' "
        f"WHERE name = 'trial_params'"
    ),
    "generated column of another table": f"CREATE TABLE other (a, {GENERATED} NOT NULL)",
    "index with a condition": "CREATE INDEX i ON trials (number) WHERE printf('%.*c', 9, number)",
    "index of an expression": "CREATE INDEX i ON trials (printf('%.*c', 900000000, number))",
}


@pytest.mark.parametrize("script", COMPUTED.values(), ids=COMPUTED)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_database_that_computes_something_is_opened_by_nobody(
    tmp_path: Path, script: str, reader: Callable[[str, Path], object]
) -> None:
    store_in(tmp_path)
    execute(tmp_path / "study.db", script)
    before = contents(tmp_path)
    # SQLite itself refuses a schema that contradicts itself.
    says = r"study\.db has a view, trigger, virtual table or formula|malformed database schema"
    with pytest.raises(StudyError, match=says):
        reader(sqlite_url(tmp_path / "study.db"), tmp_path)
    assert contents(tmp_path) == before


def without_an_index_entry(file: Path) -> None:
    """Hide the last trial from a query by study, which asks the index."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'ix_trials_study_id'"
        ((root,),) = connection.execute(query)
    content, start = bytearray(file.read_bytes()), (root - 1) * 4096
    (count,) = struct.unpack_from(">H", content, start + 3)
    struct.pack_into(">H", content, start + 3, count - 1)
    file.write_bytes(content)


def test_an_index_that_hides_a_trial_is_damage(tmp_path: Path) -> None:
    for seed in range(3):
        added(store_in(tmp_path), seed)
    without_an_index_entry(tmp_path / "study.db")
    with pytest.raises(StudyError, match=r"study\.db is damaged \(.*\): restore a copy"):
        open_store(sqlite_url(tmp_path / "study.db"), "few-digits")


def test_a_constraint_is_not_computed_to_read(tmp_path: Path) -> None:
    trial = added(store_in(tmp_path))
    slow = " AND ".join(["printf('%.*c', 900000000, 'x') <> ''"] * 50)
    script = f"CREATE TABLE other (a, CHECK ({slow})); PRAGMA ignore_check_constraints = ON; "
    execute(tmp_path / "study.db", script + "INSERT INTO other VALUES (1)")
    assert open_store(sqlite_url(tmp_path / "study.db"), "few-digits").trials() == (trial,)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_database_whose_pages_lead_in_circles_is_damaged(
    tmp_path: Path, reader: Callable[[str, Path], object]
) -> None:
    store_in(tmp_path)
    leading_in_circles(tmp_path / "study.db")
    with pytest.raises(StudyError, match=r"study\.db is damaged \(.* page .*\): restore a copy"):
        reader(sqlite_url(tmp_path / "study.db"), tmp_path)


def test_a_value_of_a_gigabyte_is_refused(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    added(store)
    execute(
        tmp_path / "study.db",
        "UPDATE trial_user_attributes SET value_json = printf('%.*c', 70000000, '0') "
        "WHERE key = 'flops'",
    )
    with pytest.raises(StudyError, match="too big"):
        open_store(sqlite_url(tmp_path / "study.db"), "few-digits").trials()


def with_a_schema_in_circles(file: Path, journal_mode: str) -> None:
    """Make the pages of a schema a tree with few nodes and 300 ** 5 ways to a leaf."""
    execute(file, "CREATE TABLE t (x UNIQUE)")
    content, size = bytearray(file.read_bytes()), 4096
    assert len(content) == 3 * size
    table, index = struct.unpack_from(">HH", content, 108)
    leaves = [_leaf(content, table, index), _leaf(content, index)]
    nodes = [tree_node(5 + level, size) for level in range(5)]
    root = tree_node(4, size, count=1, last=10)
    content[100:size] = root[:-100]
    struct.pack_into(">H", content, 112, size - 5)
    content[size - 5 : size] = root[-5:]
    content += b"".join([*leaves, *nodes])
    content[28:32] = struct.pack(">I", len(content) // size)
    if journal_mode == "WAL":
        content[18:20] = b"\2\2"
    file.write_bytes(content)


def _leaf(content: bytearray, *cells: int) -> bytes:
    """Return a leaf with some cells of the first page."""
    head = struct.pack(">BHHHB", 13, 0, len(cells), min(cells), 0)
    head += struct.pack(f">{len(cells)}H", *cells)
    return head + bytes(min(cells) - len(head)) + content[min(cells) : 4096]


@pytest.mark.parametrize("journal_mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_schema_whose_pages_lead_in_circles_is_damage(
    tmp_path: Path, journal_mode: str, reader: Callable[[str, Path], object]
) -> None:
    with_a_schema_in_circles(tmp_path / "study.db", journal_mode)
    with pytest.raises(StudyError, match=r"study\.db is damaged, .* use another `storage`"):
        reader(sqlite_url(tmp_path / "study.db"), tmp_path)


@pytest.mark.parametrize(
    "script",
    [
        "".join(f"CREATE INDEX i{n} ON trials (number);" for n in range(1_000)),
        "".join(f"CREATE INDEX i{n} ON trials (number);" for n in range(4_000)),
        "".join(f"CREATE TABLE t{n} (a);" for n in range(1_000)),
        f"CREATE TABLE other (a /* {'x' * 100_000} */)",
    ],
    ids=["1,000 indices", "4,000 indices", "1,000 tables", "long entry"],
)
def test_a_schema_larger_than_any_searchs_is_refused(tmp_path: Path, script: str) -> None:
    store_in(tmp_path)
    execute(tmp_path / "study.db", f"BEGIN; {script}; COMMIT")
    with pytest.raises(StudyError, match=r"more than 1,000 tables and indices: .* `storage`"):
        open_store(sqlite_url(tmp_path / "study.db"), "few-digits")


def test_tables_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    trial = added(store_in(tmp_path))
    script = "".join(f"CREATE TABLE t{n} (a UNIQUE);" for n in range(400))
    execute(tmp_path / "study.db", f"BEGIN; {script} COMMIT")
    assert open_store(sqlite_url(tmp_path / "study.db"), "few-digits").trials() == (trial,)


def test_many_empty_rows_are_no_damage(tmp_path: Path) -> None:
    """They take the most steps per byte."""
    trial = added(store_in(tmp_path))
    script = (
        "CREATE TABLE other (a INTEGER PRIMARY KEY, b, c); CREATE INDEX i ON other (b);"
        "CREATE INDEX j ON other (c); INSERT INTO other (b) WITH RECURSIVE r(x) AS (SELECT 1 "
        "UNION ALL SELECT x + 1 FROM r WHERE x < 1000000) SELECT NULL FROM r"
    )
    execute(tmp_path / "study.db", script)
    assert open_store(sqlite_url(tmp_path / "study.db"), "few-digits").trials() == (trial,)


@pytest.mark.parametrize(
    ("script", "remedy"),
    [
        ("CREATE VIEW best AS SELECT * FROM trials", "drop it (`DROP VIEW best`)"),
        (COMPUTED["trigger"], "drop it (`DROP TRIGGER t`)"),
        (COMPUTED["index with a condition"], "drop it (`DROP INDEX i`)"),
        (COMPUTED["generated column"], "restore a copy of the database"),
    ],
)
def test_what_is_computed_can_be_dropped(tmp_path: Path, script: str, remedy: str) -> None:
    store_in(tmp_path)
    execute(tmp_path / "study.db", script)
    with pytest.raises(StudyError) as refused:
        open_store(sqlite_url(tmp_path / "study.db"), "few-digits")
    assert str(refused.value).endswith(f"never end: {remedy}, or use another `storage`.")

"""SQLite files that are not safe to open are refused; all others are read and left as they are."""

import gc
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.errors import StudyError
from neptune_nas.study.database import has_studies, storage_at
from neptune_nas.study.database_url import database_errors, sqlite_url
from neptune_nas.study.read_only import check_file
from neptune_nas.study.store import create_store, open_store
from tests.study.builders import AIMS, contents, store_in
from tests.study.test_store import added


def open_to_write(url: str, _: Path) -> None:
    with database_errors(url):
        storage_at(url)


READERS: dict[str, Callable[[str, Path], object]] = {
    "open_store": lambda url, _: open_store(url, "few-digits"),
    "has_studies": has_studies,
    "storage_at": open_to_write,
    "create_store": lambda url, _: create_store(url, "few-digits", AIMS, "a question"),
}
KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 2")  # so that it is written before it is committed
connection.execute("BEGIN")
for n in range(500):
    connection.execute("INSERT INTO study_user_attributes (study_id, key, value_json) "
                       "VALUES (1, ?, ?)", (str(n), "x" * 2000))
os.kill(os.getpid(), 9)
"""


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


def execute(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)


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


def leading_in_circles(file: Path) -> None:
    """Make the pages of `trial_params` a tree with few nodes and 300 ** 5 ways to a leaf."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'trial_params'"
        ((root,),) = connection.execute(query)
    content, size = bytearray(file.read_bytes()), 4096
    leaf = len(content) // size + 1
    content += content[(root - 1) * size : root * size]
    nodes = [_node(leaf + level, size) for level in range(5)]
    content += b"".join(nodes[:-1])
    content[(root - 1) * size : root * size] = nodes[-1]
    content[28:32] = struct.pack(">I", len(content) // size)
    file.write_bytes(content)


def _node(child: int, size: int, count: int = 300, last: int | None = None) -> bytes:
    """Return an interior page of a table, whose children, but for the last, are one page."""
    end = size - 5 * count
    head = struct.pack(">BHHHBI", 5, 0, count, end, 0, last or child)
    cells = struct.pack(f">{count}H", *range(end, size, 5))
    return (head + cells).ljust(end, b"\0") + struct.pack(">IB", child, 1) * count


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


def kill_amid_a_write(file: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, file], check=False).returncode == -9
    assert Path(f"{file}-journal").is_file()


def test_what_a_killed_process_left_half_written_is_undone_in_a_copy(tmp_path: Path) -> None:
    trial = added(store_in(tmp_path))
    file = tmp_path / "study.db"
    kill_amid_a_write(file)
    before = contents(tmp_path)
    assert before.keys() == {"study.db", "study.db-journal"}
    store = open_store(sqlite_url(file), "few-digits")
    assert store.trials() == (trial,)
    assert len(store.storage.get_study_user_attrs(store.study_id)) == 1
    assert has_studies(sqlite_url(file), tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_journal_that_names_another_file_is_not_undone(
    tmp_path: Path, reader: Callable[[str, Path], object]
) -> None:
    """SQLite would take the named file for the list of journals of one transaction."""
    store_in(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    kill_amid_a_write(tmp_path / "study.db")
    name = str(victim).encode()
    with (tmp_path / "study.db-journal").open("ab") as journal:
        journal.write(struct.pack(">I", 0x40000000 // 4096 + 1) + name)
        journal.write(struct.pack(">II", len(name), sum(name)) + bytes.fromhex("d9d505f920a163d7"))
    before = contents(tmp_path)
    with pytest.raises(StudyError, match=r"study\.db-journal names another file"):
        reader(sqlite_url(tmp_path / "study.db"), tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_pipe_beside_the_file_keeps_nobody_waiting(
    tmp_path: Path, end: str, reader: Callable[[str, Path], object]
) -> None:
    store_in(tmp_path)
    os.mkfifo(tmp_path / f"study.db{end}")
    with pytest.raises(
        StudyError, match=rf"study\.db{end} is not a file, so .* delete study\.db{end}"
    ):
        reader(sqlite_url(tmp_path / "study.db"), tmp_path)


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+pysqlite"])
def test_reading_a_write_ahead_log_leaves_nothing_beside_it(tmp_path: Path, driver: str) -> None:
    trial, file = added(store_in(tmp_path)), tmp_path / "study.db"
    execute(file, "PRAGMA journal_mode = WAL")
    before = contents(tmp_path)
    assert before.keys() == {"study.db"}
    assert open_store(f"{driver}:///{file}", "few-digits").trials() == (trial,)
    assert has_studies(f"{driver}:///{file}", tmp_path)
    assert contents(tmp_path) == before


def test_what_a_write_ahead_log_holds_is_read(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    file = tmp_path / "live" / "study.db"
    store_in(file.parent)
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("SELECT * FROM trials").fetchall()  # opens the log
        trial = added(store_in(file.parent))
        assert open_store(sqlite_url(file), "few-digits").trials() == (trial,)
        for end in ("", "-wal"):  # as if the process, and the machine, had died
            shutil.copy(f"{file}{end}", tmp_path)
    before = contents(tmp_path)
    assert before["study.db-wal"]
    assert open_store(sqlite_url(tmp_path / "study.db"), "few-digits").trials() == (trial,)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_reader_leaves_the_locks_of_a_writer_in_its_own_process(
    tmp_path: Path, mode: str
) -> None:
    store_in(tmp_path)
    file = tmp_path / "study.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute(f"PRAGMA journal_mode = {mode}")
        writer.execute("BEGIN IMMEDIATE")
        assert open_store(sqlite_url(file), "few-digits").trials() == ()
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0).execute('BEGIN IMMEDIATE')"
        command = [sys.executable, "-c", code, str(file)]
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert other.stderr.endswith("OperationalError: database is locked\n")


def test_a_file_that_is_too_large_to_be_copied_is_not(tmp_path: Path) -> None:
    store_in(tmp_path)
    file = tmp_path / "study.db"
    execute(file, "PRAGMA journal_mode = WAL")
    os.truncate(file, 2**31 + 1)
    with pytest.raises(StudyError, match=r"large to be copied \(over 2 GiB\): run `sqlite3 "):
        open_store(sqlite_url(file), "few-digits")


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_link_beside_the_file_is_refused(
    tmp_path: Path, end: str, reader: Callable[[str, Path], object]
) -> None:
    """SQLite does not write through it, so a search would end at its first trial."""
    (tmp_path / "study").mkdir()
    store_in(tmp_path / "study")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "study" / f"study.db{end}").symlink_to(victim)
    with pytest.raises(StudyError, match=rf"study\.db{end} is a link, .* delete study\.db{end}"):
        reader(sqlite_url(tmp_path / "study" / "study.db"), tmp_path)
    assert victim.read_text() == "mine"


def with_a_schema_in_circles(file: Path, journal_mode: str) -> None:
    """Make the pages of a schema a tree with few nodes and 300 ** 5 ways to a leaf."""
    execute(file, "CREATE TABLE t (x UNIQUE)")
    content, size = bytearray(file.read_bytes()), 4096
    assert len(content) == 3 * size
    table, index = struct.unpack_from(">HH", content, 108)
    leaves = [_leaf(content, table, index), _leaf(content, index)]
    nodes = [_node(5 + level, size) for level in range(5)]
    root = _node(4, size, count=1, last=10)
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


def test_a_journal_that_is_written_all_the_time_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_in(tmp_path)
    kill_amid_a_write(tmp_path / "study.db")

    def copy_while_written(source: str, target: str) -> None:
        shutil.copyfile(source, target)
        with (tmp_path / "study.db-journal").open("ab") as journal:
            journal.write(b"x")

    monkeypatch.setattr("neptune_nas.study.sqlite_file.copyfile", copy_while_written)
    with pytest.raises(StudyError, match=r"study\.db is being written by another program: wait"):
        open_store(sqlite_url(tmp_path / "study.db"), "few-digits")


def test_the_index_of_a_log_that_a_killed_process_left_is_not_rebuilt(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    store_in(tmp_path / "live")
    with closing(sqlite3.connect(tmp_path / "live" / "study.db")) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("SELECT * FROM trials").fetchall()  # opens the log
        trial = added(store_in(tmp_path / "live"))
        for end in ("", "-wal", "-shm"):  # as if the process had died
            shutil.copy(tmp_path / "live" / f"study.db{end}", tmp_path)
    os.truncate(tmp_path / "study.db-shm", 100)
    before = contents(tmp_path)
    assert before["study.db-wal"]
    assert open_store(sqlite_url(tmp_path / "study.db"), "few-digits").trials() == (trial,)
    assert contents(tmp_path) == before


def test_a_file_is_checked_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added(store_in(tmp_path))
    file, connections = tmp_path / "study.db", list[str]()

    def connect(name: str, **options: Any) -> sqlite3.Connection:
        connections.append(name)
        return sqlite3.Connection(name, **options)

    check_file(sqlite_url(file))
    monkeypatch.setattr(sqlite3, "connect", connect)
    for _ in range(3):
        check_file(sqlite_url(file))
    assert connections == []
    monkeypatch.undo()
    leading_in_circles(file)
    for _ in range(2):
        with pytest.raises(StudyError, match=r"study\.db is damaged"):
            check_file(sqlite_url(file))


def test_a_copy_is_deleted_with_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, copies = added(store_in(tmp_path)), tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    execute(tmp_path / "study.db", "PRAGMA journal_mode = WAL")
    store = open_store(sqlite_url(tmp_path / "study.db"), "few-digits")
    assert [path.name for path in copies.glob("*/*")] == ["copy.db"]
    assert store.trials() == (trial,)
    del store
    gc.collect()
    assert [*copies.iterdir()] == []

"""Reading a database leaves it, and the folder it lies in, as they are."""

import os
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError

from neptune_nas.errors import StudyError
from neptune_nas.study.database import engine_of, has_studies, storage_at
from neptune_nas.study.database_url import database_errors, sqlite_url
from neptune_nas.study.read_only import read_only_storage
from neptune_nas.study.store import create_store, open_store
from tests.postgres import new_database
from tests.study.builders import AIMS, store_in
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


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_storage_opened_to_read_cannot_be_written(tmp_path: Path) -> None:
    store_in(tmp_path)
    before = contents(tmp_path)
    storage = read_only_storage(sqlite_url(tmp_path / "study.db"))
    study = storage.get_study_id_from_name("few-digits")
    with pytest.raises(StorageInternalError):
        storage.set_study_user_attr(study, "a", 1)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+pysqlite"])
@pytest.mark.parametrize(
    "content", ["missing", "empty", "of another program", "text", "no version"]
)
def test_nothing_is_created_where_no_study_is(tmp_path: Path, driver: str, content: str) -> None:
    file = tmp_path / "other.db"
    if content == "empty":
        file.touch()
    if content == "text":
        file.write_text("not a database, but long enough to look like one" * 50)
    if content == "of another program":
        with sqlite3.connect(file) as connection:
            connection.execute("CREATE TABLE studies (study_id INTEGER)")
        connection.close()
    if content == "no version":
        store_in(tmp_path)
        (tmp_path / "study.db").rename(file)
        with sqlite3.connect(file) as connection:
            connection.execute("DELETE FROM alembic_version")
        connection.close()
    before = contents(tmp_path)
    for url in (f"{driver}:///{file}", f"{driver}:///file:{file}?uri=true&mode=rwc"):
        with pytest.raises(StudyError, match=r"is missing|holds no Optuna studies|not a database"):
            open_store(url, "few-digits")
    assert contents(tmp_path) == before


def test_a_database_in_memory_cannot_be_read() -> None:
    with pytest.raises(StudyError, match="is in memory, so nothing can be read"):
        open_store("sqlite://", "few-digits")


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


def _node(child: int, size: int, count: int = 300) -> bytes:
    """Return an interior page of a table, whose children are one page."""
    end = size - 5 * count
    head = struct.pack(">BHHHBI", 5, 0, count, end, 0, child)
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


@pytest.mark.parametrize("name", ["a b", "{a}", "a%41", "a#b"])
def test_a_path_may_have_any_letters(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    trial = added(store_in(tmp_path / name))
    assert open_store(sqlite_url(tmp_path / name / "study.db"), "few-digits").trials() == (trial,)


def test_a_database_that_may_not_be_written_can_be_read(tmp_path: Path) -> None:
    trial = added(store_in(tmp_path))
    (tmp_path / "study.db").chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert open_store(sqlite_url(tmp_path / "study.db"), "few-digits").trials() == (trial,)
    finally:
        tmp_path.chmod(0o755)


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
    with pytest.raises(StudyError, match=r"copied into memory \(over 2 GiB\): run `sqlite3 "):
        open_store(sqlite_url(file), "few-digits")


@pytest.mark.xdist_group("postgres")
def test_a_reader_leaves_no_connection_to_a_server(postgres: str) -> None:
    url = new_database(postgres)
    create_store(url, "few-digits", AIMS, "a question")
    store = open_store(url, "few-digits")
    assert store.trials() == ()
    pool = engine_of(store.storage).pool
    assert pool.status()
    assert pool.checkedin() >= 1  # type: ignore[attr-defined]  # of a queue
    del store
    assert pool.checkedin() == 0  # type: ignore[attr-defined]  # of a queue


def test_a_journal_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    trial = added(store_in(tmp_path / "study"))
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for end in ("-journal", "-wal", "-shm"):
        (tmp_path / "study" / f"study.db{end}").symlink_to(victim)
    assert open_store(sqlite_url(tmp_path / "study" / "study.db"), "few-digits").trials() == (
        trial,
    )
    with pytest.raises((StudyError, StorageInternalError, sqlite3.Error)):
        added(store_in(tmp_path / "study"))
    assert victim.read_text() == "mine"


def test_the_right_study_is_known_by_its_question(tmp_path: Path) -> None:
    added(store_in(tmp_path))
    url = sqlite_url(tmp_path / "study.db")
    assert len(open_store(url, "few-digits", question="a question").trials()) == 1
    with pytest.raises(StudyError, match="a study 'few-digits' with another question"):
        open_store(url, "few-digits", question="another")


def test_a_study_that_optuna_has_made_is_not_ours(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "study.db")
    optuna.create_study(storage=url, study_name="few-digits")
    with pytest.raises(StudyError, match="with another question"):
        open_store(url, "few-digits", question="a question")


def test_an_error_is_no_reason_to_lose_a_sentence(tmp_path: Path) -> None:
    shutil.copy(os.__file__, tmp_path / "study.db")
    url = sqlite_url(tmp_path / "study.db")
    message = r"study\.db cannot be opened: .*not a database"
    with pytest.raises(StudyError, match=message), database_errors(url):
        read_only_storage(url)

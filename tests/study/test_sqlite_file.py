"""Journals, logs, links and copies of an SQLite file: nothing is lost or left beside it."""

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
from neptune_nas.study.database import has_studies
from neptune_nas.study.database_url import sqlite_url
from neptune_nas.study.read_only import check_file
from neptune_nas.study.sqlite_file import reading_options
from neptune_nas.study.store import open_store
from tests.study.builders import contents, store_in
from tests.study.sqlite_readers import READERS, execute, leading_in_circles
from tests.study.test_store import added

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
    os.truncate(file, 2**30 + 1)
    with pytest.raises(StudyError, match=r"large to be copied \(over 1 GiB\): run `sqlite3 "):
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


def test_a_copy_is_in_memory_so_that_a_killed_reader_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, copies = added(store_in(tmp_path)), tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    execute(tmp_path / "study.db", "PRAGMA journal_mode = WAL")
    store = open_store(sqlite_url(tmp_path / "study.db"), "few-digits")
    assert [*copies.iterdir()] == []
    assert store.trials() == (trial,)
    assert store.trials() == (trial,)


def test_a_copy_in_memory_goes_with_its_reader(tmp_path: Path) -> None:
    store_in(tmp_path)
    execute(tmp_path / "study.db", "PRAGMA journal_mode = WAL")
    options = reading_options(tmp_path / "study.db")
    (name,) = options["creator"].args
    with closing(options["creator"]()) as connection:
        assert connection.execute("SELECT count(*) FROM studies").fetchone() == (1,)
    del options
    gc.collect()
    with closing(sqlite3.connect(name, uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)

"""Reading a database leaves it, and the folder it lies in, as they are."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError

from neptune_nas.errors import StudyError
from neptune_nas.study.database_url import database_errors, sqlite_url
from neptune_nas.study.read_only import read_only_storage
from neptune_nas.study.store import open_store
from tests.study.builders import store_in
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
        with pytest.raises(StudyError, match=r"is missing|holds no studies|not a database"):
            open_store(url, "few-digits")
    assert contents(tmp_path) == before


def test_a_database_in_memory_cannot_be_read() -> None:
    with pytest.raises(StudyError, match="is in memory, so nothing can be read"):
        open_store("sqlite://", "few-digits")


def test_a_view_in_the_place_of_a_table_is_not_asked(tmp_path: Path) -> None:
    store_in(tmp_path)
    with sqlite3.connect(tmp_path / "study.db") as connection:
        connection.executescript(
            "ALTER TABLE trials RENAME TO other; CREATE VIEW trials AS WITH RECURSIVE more AS "
            "(SELECT * FROM other UNION ALL SELECT * FROM more) SELECT * FROM more"
        )
    connection.close()
    with pytest.raises(StudyError, match="holds no studies of Optuna"):
        open_store(sqlite_url(tmp_path / "study.db"), "few-digits")


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


def test_what_a_killed_process_left_half_written_is_undone_in_a_copy(tmp_path: Path) -> None:
    trial = added(store_in(tmp_path))
    file = tmp_path / "study.db"
    assert subprocess.run([sys.executable, "-c", KILLED, file], check=False).returncode == -9
    before = contents(tmp_path)
    assert before.keys() == {"study.db", "study.db-journal"}
    store = open_store(sqlite_url(file), "few-digits")
    assert store.trials() == (trial,)
    assert len(store.storage.get_study_user_attrs(store.study_id)) == 1
    assert contents(tmp_path) == before


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
    with pytest.raises(StudyError, match="a study 'few-digits' of another question"):
        open_store(url, "few-digits", question="another")


def test_a_study_that_optuna_has_made_is_not_ours(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "study.db")
    optuna.create_study(storage=url, study_name="few-digits")
    with pytest.raises(StudyError, match="of another question"):
        open_store(url, "few-digits", question="a question")


def test_an_error_is_no_reason_to_lose_a_sentence(tmp_path: Path) -> None:
    shutil.copy(os.__file__, tmp_path / "study.db")
    url = sqlite_url(tmp_path / "study.db")
    message = r"study\.db cannot be opened: .*not a database"
    with pytest.raises(StudyError, match=message), database_errors(url):
        read_only_storage(url)

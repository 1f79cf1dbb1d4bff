"""Reading a database leaves it, and the folder it lies in, as they are."""

import os
import shutil
import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError

from neptune_nas.errors import StudyError
from neptune_nas.study.database import engine_of
from neptune_nas.study.database_url import database_errors, sqlite_url
from neptune_nas.study.read_only import read_only_storage
from neptune_nas.study.store import create_store, open_store
from tests.postgres import new_database
from tests.study.builders import AIMS, contents, store_in
from tests.study.test_store import added


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
    message = r"study\.db cannot be opened: .*not a database: restore a copy of it"
    with pytest.raises(StudyError, match=message), database_errors(url):
        read_only_storage(url)

from pathlib import Path

import pytest

from neptune_nas.errors import StudyError
from neptune_nas.study.database_url import (
    database_errors,
    file_at,
    is_same_database,
    is_sqlite,
    parsed_url,
    sqlite_url,
    trials_url,
)
from neptune_nas.study.folder import Folder


@pytest.mark.parametrize(
    "url", ["sqlite:///a.db", "sqlite+pysqlite:///a.db", "sqlite+aiosqlite:///a.db", "sqlite://"]
)
def test_what_is_sqlite_is_said_by_the_url_and_not_by_its_beginning(url: str) -> None:
    assert is_sqlite(url)
    assert not is_sqlite(url.replace("sqlite", "sqlitedb"))


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////tmp/a.db", "/tmp/a.db"),
        ("sqlite+pysqlite:///a.db?timeout=3", "a.db"),
        ("sqlite:///file:/tmp/a%2520b.db?uri=true&mode=rwc", "/tmp/a b.db"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///file:a?mode=memory&uri=true", None),
        ("sqlite:///file::memory:?uri=true", None),
    ],
)
def test_the_file_of_a_url_is_known(url: str, file: str | None) -> None:
    assert file_at(url) == (None if file is None else Path(file))


@pytest.mark.parametrize("name", ["a b", "a%41", "ä", "{a}", "a#b", "a@b", "a&b=c"])
def test_the_url_of_a_file_leads_to_it(tmp_path: Path, name: str) -> None:
    assert file_at(sqlite_url(tmp_path / name / "study.db")) == tmp_path / name / "study.db"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:p@PW@host/db",
        "postgresql://ada:PW",
        "postgresql://ada:PW@host:port/db",
        "ada:PW@host/db",
        "postgresql:ada:PW@host",
    ],
)
def test_a_url_that_is_not_clear_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StudyError, match=r"must be a URL such as .* written as %40") as refused:
        parsed_url(url)
    assert "PW" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    "reason",
    ["no host PW", "(psycopg.OperationalError) PW\nmore", "to postgresql://ada:PW@host/db", "%50W"],
)
@pytest.mark.parametrize(
    "url", ["postgresql://ada:PW@host/db", "postgresql://host/db?password=PW", "mysql://a:%50W@h/d"]
)
def test_what_a_driver_says_is_shown_without_the_password(url: str, reason: str) -> None:
    message = r"storage \w+://.* cannot be opened: "
    with pytest.raises(StudyError, match=message) as told, database_errors(url):
        raise OSError(reason)
    assert "PW" not in str(told.value)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("postgresql://ada:PW@host/db", "postgresql://ada:***@host/db", True),
        ("postgresql://ada@host/db", "postgresql://ada:***@host/db", True),
        ("postgresql://host/db?password=PW", "postgresql://host/db?password=***", True),
        ("postgresql://ada:P%40W@host/db", "postgresql://ada:***@host/db", True),
        ("postgresql://host/db?user=ada&password=PW", "postgresql://ada:***@host/db", True),
        ("postgresql://bob@host/db?user=ada", "postgresql://bob:***@host/db", False),
        ("sqlite+pysqlite:////a.db", "sqlite:////a.db", True),
        ("postgresql://ada:PW@host/db", "postgresql://bob:***@host/db", False),
        ("postgresql://ada:PW@host/db", "postgresql://ada:***@other/db", False),
        ("postgresql://ada:PW@host/db", "postgresql://ada:***@host:5433/db", False),
        ("postgresql://host/db?sslmode=require", "postgresql://host/db", False),
    ],
)
def test_databases_are_the_same_but_for_their_passwords(
    one: str, other: str, is_same: bool
) -> None:
    assert is_same_database(one, other) is is_same


def test_the_trials_are_where_they_are_said_to_be(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert trials_url(folder, "", None) == sqlite_url(tmp_path / "study.db")
    assert trials_url(folder, "sqlite:////a.db", None) == "sqlite:////a.db"
    for named in ("", "sqlite:////a.db", "postgresql://ada:***@host/db"):
        assert trials_url(folder, named, "postgresql://x") == "postgresql://x"


@pytest.mark.parametrize(
    "named", ["postgresql://ada:***@host/db", "mysql://host/db?local_infile=1", "mssql://host/db"]
)
def test_no_server_is_connected_to_because_a_folder_says_so(tmp_path: Path, named: str) -> None:
    with pytest.raises(StudyError, match=r"has its trials in \w+://.*: set NEPTUNE_STORAGE to"):
        trials_url(Folder(tmp_path), named, None)

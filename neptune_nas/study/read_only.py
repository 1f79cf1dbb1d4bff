"""Databases that are opened to read: nothing is created, migrated or written."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy.engine.url import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from neptune_nas.errors import StudyError
from neptune_nas.study.database_url import file_at, is_sqlite, parsed_url, with_driver
from neptune_nas.text import redact_url

_TABLES = frozenset({"studies", "trials", "version_info", "alembic_version"})
_VERSIONS = ("version_info", "alembic_version")  # one row each, which Optuna would write
_UNFINISHED = frozenset(
    {"SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY", "SQLITE_READONLY_CANTINIT"}
)
"""The errors of SQLite where a killed process left a transaction that only a writer may undo."""


def read_only_storage(url: str) -> RDBStorage:
    """Return Optuna's storage at a URL, opened to read; raises `StudyError` where there is none."""
    address, options = _address(url)
    try:
        tables = _tables(address, options)
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorname", None) not in _UNFINISHED:
            raise
        address, options = "sqlite://", _in_memory(url)
        tables = _tables(address, options)
    if not tables >= _TABLES:
        raise StudyError(
            f"storage {redact_url(url)} holds no studies of Optuna: it is empty, or another "
            f"program's. Put the right one back from a copy, or start a study with another name."
        )
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # what it warns of becomes a sentence
    return RDBStorage(unformatted(address), engine_kwargs=options, skip_table_creation=True)


def unformatted(url: str) -> str:
    """Return a URL as `RDBStorage` takes it, which replaces what is in braces."""
    return url.replace("{", "{{").replace("}", "}}")


def has_optunas_tables(url: str) -> bool:
    """Return whether Optuna has begun to write to the database at a URL."""
    return bool(_tables(*_address(url)) & _TABLES)


def _address(url: str) -> tuple[str, dict[str, Any]]:
    """Return the URL and the options of an engine that reads the database at a URL."""
    if not is_sqlite(url):
        is_postgresql = parsed_url(url).get_backend_name() == "postgresql"
        return with_driver(url), {
            "execution_options": {"postgresql_readonly": True}
        } if is_postgresql else {}
    place = URL.create("sqlite", database=_file(url).as_uri(), query={"mode": "ro", "uri": "true"})
    # A search may hold SQLite's lock for a moment.
    return place.render_as_string(hide_password=False), {"connect_args": {"timeout": 60}}


def _file(url: str) -> Path:
    """Return the real path of the file of an SQLite URL; refuse one that is missing."""
    file = file_at(url)
    if file is None:
        raise StudyError(f"storage {redact_url(url)} is in memory, so nothing can be read from it.")
    if not file.is_file():
        raise StudyError(
            f"{file} is missing, and with it the trials of its study: put it back, or start a "
            f"study with another name."
        )
    return Path(os.path.realpath(file))


def _tables(address: str, options: Mapping[str, Any]) -> set[str]:
    """Return the names of the tables in a database, without views and without empty versions."""
    engine = sqlalchemy.create_engine(address, **options)
    try:
        names = set(sqlalchemy.inspect(engine).get_table_names())  # a view may never end
        with engine.connect() as connection:
            for name in names.intersection(_VERSIONS):
                rows = sqlalchemy.select(sqlalchemy.literal(1)).select_from(sqlalchemy.table(name))
                if connection.execute(rows.limit(1)).first() is None:
                    names.remove(name)
        return names
    finally:
        engine.dispose()


def _in_memory(url: str) -> dict[str, Any]:
    """Return the options of an engine on a copy in memory, whose last transaction is undone."""
    file = _file(url)
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        for end in ("", "-journal", "-wal"):
            if (part := Path(f"{file}{end}")).is_file():
                copyfile(part, f"{copy}{end}")
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchall()
            content = connection.serialize()
    return {"creator": partial(_loaded, content), "poolclass": StaticPool}


def _loaded(content: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.deserialize(content)
    connection.execute("PRAGMA query_only=ON")
    return connection

"""Databases that are opened read-only: nothing is created, migrated or written."""

import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage

from neptune_nas.errors import StudyError
from neptune_nas.study.database_url import file_at, is_sqlite, parsed_url, with_driver
from neptune_nas.study.sqlite_file import reading_options
from neptune_nas.text import redact_url

_TABLES = frozenset({"studies", "trials", "version_info", "alembic_version"})
_VERSIONS = ("version_info", "alembic_version")  # one row each, which Optuna would write


def read_only_storage(url: str) -> RDBStorage:
    """Return Optuna's storage at a URL, opened read-only; raises `StudyError` if there is none."""
    address, options = _address(url)
    if not _tables(address, options) >= _TABLES:
        raise StudyError(
            f"storage {redact_url(url)} holds no Optuna studies: it is empty, or belongs to "
            f"another program. Restore the right one, or start a study with another name."
        )
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # its warnings become our messages
    storage = RDBStorage(escape_braces(address), engine_kwargs=options, skip_table_creation=True)
    close_with(storage)
    return storage


def close_with(storage: RDBStorage) -> None:
    """Close the connections to a server once the storage is no longer used."""
    weakref.finalize(storage, storage.engine.dispose)


def escape_braces(url: str) -> str:
    """Return a URL as `RDBStorage` takes it, which replaces what is in braces."""
    return url.replace("{", "{{").replace("}", "}}")


def has_optunas_tables(url: str) -> bool:
    """Return whether Optuna has begun to write to the database at a URL."""
    return bool(_tables(*_address(url)) & _TABLES)


def check_file(url: str) -> None:
    """Refuse an SQLite file that is not safe to open, also to write; raises `StudyError`."""
    if is_sqlite(url) and (file := file_at(url)) is not None and file.exists():
        reading_options(_file(url))


def _address(url: str) -> tuple[str, dict[str, Any]]:
    """Return the URL and the options of an engine that reads the database at a URL."""
    if is_sqlite(url):
        return "sqlite://", reading_options(_file(url))
    is_postgresql = parsed_url(url).get_backend_name() == "postgresql"
    read_only = {"execution_options": {"postgresql_readonly": True}}
    return with_driver(url), read_only if is_postgresql else {}


def _file(url: str) -> Path:
    """Return the real path of the file of an SQLite URL; refuse one that is missing."""
    file = file_at(url)
    if file is None:
        raise StudyError(
            f"storage {redact_url(url)} is in memory, so nothing can be read from it: name a file."
        )
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
        names = set(sqlalchemy.inspect(engine).get_table_names())
        with engine.connect() as connection:
            for name in names.intersection(_VERSIONS):
                rows = sqlalchemy.select(sqlalchemy.literal(1)).select_from(sqlalchemy.table(name))
                if connection.execute(rows.limit(1)).first() is None:
                    names.remove(name)
        return names
    finally:
        engine.dispose()

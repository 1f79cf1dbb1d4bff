"""The database that a search writes: how it is opened, and the Optuna storage in it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from inspect import signature
from pathlib import Path
from time import sleep
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import distribution_to_json
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from neptune_nas.errors import StudyError
from neptune_nas.files.locks import check_writable
from neptune_nas.study.database_url import database_errors, file_at, is_sqlite, with_driver
from neptune_nas.study.read_only import (
    check_file,
    close_with,
    escape_braces,
    has_optunas_tables,
)
from neptune_nas.text import redact_url

_TRIES = 5  # to create tables that others may be creating at the same time
_TABLES: dict[str, tuple[str, ...]] = {
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
    "trial_user_attributes": ("trial_id", "key", "value_json"),
    "trial_system_attributes": ("trial_id", "key", "value_json"),
}
"""The columns that are written for a new trial besides its own row, by table."""

_INSERTS = {
    table: sqlalchemy.table(table, *map(sqlalchemy.column, columns)).insert()
    for table, columns in _TABLES.items()
}


class QuickStorage(RDBStorage):
    """Optuna's storage, with three statements for a new running trial instead of a hundred or more.

    Optuna looks up the trial before each parameter and attribute, and the parameter's earlier
    distribution. All are known here: the trial is created in the same transaction, and a path has
    the same options throughout a study. The method and the tables are private to Optuna, so both
    are checked for changes.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        # Found here: a look at tables takes too long within a transaction that holds a lease.
        self.is_plain = self._has_plain_tables()

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Any
    ) -> Any:
        is_new = template_trial is not None and template_trial.state is TrialState.RUNNING
        if template_trial is None or not is_new or not self.is_plain:
            return super()._get_prepared_new_trial(study_id, template_trial, session)
        bare = create_trial(
            state=TrialState.RUNNING, intermediate_values=template_trial.intermediate_values
        )
        trial = super()._get_prepared_new_trial(study_id, bare, session)
        for table, rows in _rows_of(template_trial).items():
            values = [
                dict(zip(_TABLES[table], (trial.trial_id, *row), strict=True)) for row in rows
            ]
            if values:
                session.execute(_INSERTS[table], values)
        return trial

    def _has_plain_tables(self) -> bool:
        """Return whether the tables have just the columns written and a primary key."""
        inspector = sqlalchemy.inspect(self.engine)
        return all(
            {column["name"] for column in inspector.get_columns(table)}
            == {*columns, *inspector.get_pk_constraint(table)["constrained_columns"]}
            for table, columns in _TABLES.items()
        )


def _rows_of(trial: FrozenTrial) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows to write for a trial, by table, without the trial's id."""
    kinds = trial.distributions.items()
    return {
        "trial_params": [
            (name, kind.to_internal_repr(trial.params[name]), distribution_to_json(kind))
            for name, kind in kinds
        ],
        "trial_user_attributes": [(n, json.dumps(v)) for n, v in trial.user_attrs.items()],
        "trial_system_attributes": [(n, json.dumps(v)) for n, v in trial.system_attrs.items()],
    }


def has_replaced_method(storage: type[RDBStorage]) -> bool:
    """Return whether Optuna's storage still has the method that `QuickStorage` replaces."""
    name = QuickStorage._get_prepared_new_trial.__name__
    method = getattr(storage, name, None)
    parameters = signature(QuickStorage._get_prepared_new_trial).parameters
    return method is not None and list(signature(method).parameters) == list(parameters)


def storage_at(url: str, is_checked: bool = False) -> BaseStorage:
    """Return Optuna's storage at a URL, to write to; its tables are created if there are none.

    `is_checked`: whether this process has just found the tables there, of this release of Optuna,
    which reads forty files to know it.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check_file(url)
    kind = QuickStorage if has_replaced_method(RDBStorage) else RDBStorage
    storage = kind(
        escape_braces(with_driver(url)),
        engine_kwargs=_engine_options(url),
        skip_table_creation=is_checked,
        skip_compatibility_check=is_checked,
    )
    close_with(storage)
    return optuna.storages.get_storage(storage)


def storage_with_tables(url: str) -> BaseStorage:
    """Return Optuna's storage at a URL, whose tables another process may be creating as well."""
    check_file(url)
    options = {**_engine_options(url), "poolclass": NullPool}  # leaves no connection when it fails
    for _ in range(_TRIES):
        try:
            RDBStorage(escape_braces(with_driver(url)), engine_kwargs=options)
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if isinstance(error, OperationalError) and "already exists" not in str(error):
                raise
            sleep(0.2)
        else:
            return storage_at(url, is_checked=True)
    return storage_at(url)


def engine_of(storage: BaseStorage) -> sqlalchemy.Engine:
    """Return the engine of Optuna's storage, which the cache around it does not show."""
    backend: Any = getattr(storage, "_backend", storage)
    engine: sqlalchemy.Engine = backend.engine
    return engine


def insert_if_absent(engine: sqlalchemy.Engine, table: str, row: Mapping[str, Any]) -> None:
    """Insert a row unless there is one with its key, even one inserted at the same time."""
    insert = sqlalchemy.table(table, *map(sqlalchemy.column, row)).insert().values(dict(row))
    with suppress(IntegrityError), engine.begin() as connection:
        connection.execute(insert)


def has_studies(url: str, folder: Path) -> bool:
    """Return whether the database at a URL contains studies; the database is left unchanged.

    `folder`: the study's folder, which need not exist yet. Raises `StudyError` where the database
    cannot be opened or, if it is a file, cannot be created.
    """
    with database_errors(url):
        if is_sqlite(url) and ((file := file_at(url)) is None or not file.exists()):
            _check_room(url, (file or folder).absolute().parent, folder.absolute())
            return False
        return has_optunas_tables(url)


def _check_room(url: str, parent: Path, folder: Path) -> None:
    """Raise `StudyError` for a folder in which no database can be created."""
    check_writable(parent)
    if parent != folder and not parent.is_dir():
        raise StudyError(
            f"storage {redact_url(url)} needs the folder {parent}, but there is none: create it."
        )


def _engine_options(url: str) -> dict[str, Any]:
    # A reader (`status`, a dashboard) may hold SQLite's lock for a moment. A server may have closed
    # a connection in the hours between two results, so each is tried before it is used.
    return {"connect_args": {"timeout": 60}} if is_sqlite(url) else {"pool_pre_ping": True}

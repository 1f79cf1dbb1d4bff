"""The database of a study: its URL, how it is opened, and the Optuna storage in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import distribution_to_json
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from neptune_nas.errors import StudyError
from neptune_nas.files.locks import check_writable
from neptune_nas.text import redact

SQLITE = "sqlite:///"
_MEMORY = ":memory:"
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

    @cached_property
    def is_plain(self) -> bool:
        """True if the tables have the columns that are written, a primary key, and no others."""
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


def is_known(theirs: type[RDBStorage]) -> bool:
    """Return whether Optuna's storage still has the method that `QuickStorage` replaces."""
    name = QuickStorage._get_prepared_new_trial.__name__
    method = getattr(theirs, name, None)
    ours = signature(QuickStorage._get_prepared_new_trial).parameters
    return method is not None and list(signature(method).parameters) == list(ours)


def require_database(url: str, name: str) -> None:
    """Refuse an SQLite URL whose file is missing, since it would be created without the trials."""
    file = Path(url.removeprefix(SQLITE))
    if not file.is_file():
        raise StudyError(
            f"{file} is missing, and with it the trials of study '{name}': put it back, or start "
            f"a study with another name."
        )


def storage_at(url: str) -> BaseStorage:
    """Return Optuna's storage at a URL."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kind = QuickStorage if is_known(RDBStorage) else RDBStorage
    return optuna.storages.get_storage(kind(url, engine_kwargs=_engine_options(url)))


def has_studies(url: str, made: Path) -> bool:
    """Return whether the database at a URL contains studies; the database is left unchanged.

    `made`: the study's folder, which need not exist yet. Raises `StudyError` where the database
    cannot be opened or, if it is a file, cannot be created.
    """
    with database_errors(url):
        place = sqlalchemy.make_url(url)
        if place.get_backend_name() == "sqlite" and not Path(place.database or _MEMORY).exists():
            _check_room(url, Path(place.database or _MEMORY).absolute().parent, made.absolute())
            return False  # connecting would create the file
        engine = sqlalchemy.create_engine(url)
        try:
            return sqlalchemy.inspect(engine).has_table("studies")
        finally:
            engine.dispose()


def _check_room(url: str, folder: Path, made: Path) -> None:
    """Raise `StudyError` for a folder in which no database can be created."""
    check_writable(folder)
    if folder != made and not folder.is_dir():
        raise StudyError(f"storage {url} needs the folder {folder}, but there is none: create it.")


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn any error of a database driver into a one-sentence `StudyError`."""
    try:
        yield
    except StudyError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0].replace(url, redact(url))
        raise StudyError(f"storage {redact(url)} cannot be opened: {reason}") from error


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file; raises `StudyError` for a path that a URL cannot hold."""
    if "?" in str(path.resolve()):
        raise StudyError(f"study folder {path.parent} must not have a ? in its path: rename it.")
    return f"{SQLITE}{path.resolve()}"


def _engine_options(url: str) -> dict[str, Any]:
    # A reader (`status`, a dashboard) may hold SQLite's lock for a moment.
    return {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}

"""The database of a study: its URL, opening it, and Optuna's storage on top of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import BaseStorage, RDBStorage

from neptune_nas.errors import StudyError
from neptune_nas.lock import check_writable
from neptune_nas.redact import redact

SQLITE = "sqlite:///"
MEMORY = ":memory:"
INSERT = sqlalchemy.text(
    "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
    "VALUES (:trial, :name, :value, :distribution)"
)


class QuickStorage(RDBStorage):
    """Optuna's storage, with one statement for each parameter of a new trial in place of three.

    Optuna looks up the trial and the parameter's earlier distribution first. Both are known here:
    the trial was made in the same transaction, and a path has the same options in all of a study.
    The method is Optuna's own affair, so `storage_at` looks first whether it is still the same.
    """

    def _set_trial_param_without_commit(
        self,
        session: Any,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None = None,  # noqa: ARG002  # Optuna's signature
    ) -> None:
        values = {
            "trial": trial_id,
            "name": param_name,
            "value": param_value_internal,
            "distribution": distribution_to_json(distribution),
        }
        session.execute(INSERT, values)


def is_known(theirs: type[RDBStorage]) -> bool:
    """Whether this release of Optuna has the method that `QuickStorage` replaces, as it was."""
    name = QuickStorage._set_trial_param_without_commit.__name__
    method = getattr(theirs, name, None)
    ours = signature(QuickStorage._set_trial_param_without_commit).parameters
    return method is not None and list(signature(method).parameters) == list(ours)


def require_database(url: str, name: str) -> None:
    """Refuse an SQLite URL whose file is gone, which would be made anew without the trials."""
    file = Path(url.removeprefix(SQLITE))
    if not file.is_file():
        raise StudyError(
            f"{file} is missing, and with it the trials of study '{name}': put it back, or begin "
            f"a study of another name."
        )


def storage_at(url: str) -> BaseStorage:
    """Optuna's storage at a URL."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kind = QuickStorage if is_known(RDBStorage) else RDBStorage
    return optuna.storages.get_storage(kind(url, engine_kwargs=_engine_options(url)))


def has_studies(url: str, made: Path) -> bool:
    """Whether studies have begun in the database at a URL, which is left as it is.

    `made`: a folder that will be there once it is used. Raises `StudyError` where the database
    cannot be opened or, if it is a file, not be made.
    """
    with opening(url):
        place = sqlalchemy.make_url(url)
        if place.get_backend_name() == "sqlite" and not Path(place.database or MEMORY).exists():
            check_room(url, Path(place.database or MEMORY).absolute().parent, made.absolute())
            return False  # to ask the database would be to make it
        engine = sqlalchemy.create_engine(url)
        try:
            return sqlalchemy.inspect(engine).has_table("studies")
        finally:
            engine.dispose()


def check_room(url: str, folder: Path, made: Path) -> None:
    """Refuse a folder that no database can be made in; raises `StudyError`."""
    check_writable(folder)
    if folder != made and not folder.is_dir():
        raise StudyError(f"storage {url} needs the folder {folder}, but there is none: make it.")


@contextmanager
def opening(url: str) -> Iterator[None]:
    """Say in a sentence why a storage cannot be opened, whatever its driver raises."""
    try:
        yield
    except StudyError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0].replace(url, redact(url))
        raise StudyError(f"storage {redact(url)} cannot be opened: {reason}") from error


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file. Raises `StudyError` for a path that a URL cannot hold."""
    if "?" in str(path.resolve()):
        raise StudyError(f"study folder {path.parent} must not have a ? in its path: rename it.")
    return f"{SQLITE}{path.resolve()}"


def _engine_options(url: str) -> dict[str, Any]:
    # A reader (`status`, a dashboard) may hold SQLite's lock for a moment: wait for it.
    return {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}

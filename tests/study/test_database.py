"""Our storage writes what Optuna's would, in fewer statements."""

import sys
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from neptune_nas.errors import StudyError
from neptune_nas.study.database import (
    QuickStorage,
    has_replaced_method,
    has_studies,
    storage_with_tables,
)
from neptune_nas.study.database_url import sqlite_url
from neptune_nas.study.store import open_store
from tests.postgres import new_database

KINDS = {
    "stages.0.norm": CategoricalDistribution(("batch", None, 1.5)),
    "stages.0.width": IntDistribution(8, 64, step=8),
    "stages.depth": IntDistribution(1, 3),
}
TRIAL = create_trial(
    state=TrialState.RUNNING,
    params={"stages.0.norm": 1.5, "stages.0.width": 24, "stages.depth": 3},
    distributions=dict(KINDS),
    user_attrs={"key": "k", "macs": 7, "scores": []},
    system_attrs={"generation": {"n": 2}},
    intermediate_values={1: 0.5},
)


def written(storage: BaseStorage) -> Sequence[FrozenTrial]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = storage.create_new_study([StudyDirection.MAXIMIZE], "few")
    storage.create_new_trial(study, TRIAL)
    storage.create_new_trial(study, TRIAL)
    return storage.get_all_trials(study)


def test_a_trial_is_what_optunas_own_storage_would_have_written(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "study.db")
    ours = written(QuickStorage(url))
    theirs = RDBStorage(url).get_all_trials(1)
    assert [t.params for t in theirs] == [t.params for t in ours] == [TRIAL.params] * 2
    assert [t.distributions for t in theirs] == [KINDS] * 2
    for trials in (theirs, ours):
        assert [t.user_attrs for t in trials] == [TRIAL.user_attrs] * 2
        assert [t.system_attrs for t in trials] == [TRIAL.system_attrs] * 2
        assert [t.intermediate_values for t in trials] == [{1: 0.5}] * 2
        assert [(t.number, t.state) for t in trials] == [(n, TrialState.RUNNING) for n in (0, 1)]


def test_a_trial_that_has_ended_is_written_as_optuna_does(tmp_path: Path) -> None:
    storage = QuickStorage(sqlite_url(tmp_path / "study.db"))
    study = storage.create_new_study([StudyDirection.MAXIMIZE], "few")
    ended = create_trial(
        state=TrialState.COMPLETE, value=0.5, params=TRIAL.params, distributions=dict(KINDS)
    )
    storage.create_new_trial(study, ended)
    storage.create_new_trial(study)
    first, second = storage.get_all_trials(study)
    assert (first.value, first.params) == (0.5, TRIAL.params)
    assert (second.state, second.params) == (TrialState.RUNNING, {})


def test_parameters_and_attributes_are_written_in_one_statement_each(tmp_path: Path) -> None:
    storage = QuickStorage(sqlite_url(tmp_path / "study.db"))
    said: list[str] = []

    def hear(_: object, __: object, statement: str, *___: object) -> None:
        said.append(statement)

    sqlalchemy.event.listen(storage.engine, "before_cursor_execute", hear)
    written(storage)
    for table in ("trial_params", "trial_user_attributes", "trial_system_attributes"):
        about = [each for each in said if table in each and not each.startswith("PRAGMA")]
        assert [each.split()[0] for each in about[:2]] == ["INSERT", "INSERT"]
        assert all(each.startswith("SELECT") for each in about[2:])  # what reads them back


def test_tables_with_a_column_more_are_left_to_optuna(tmp_path: Path) -> None:
    storage = QuickStorage(sqlite_url(tmp_path / "study.db"))
    assert storage.is_plain
    with storage.engine.begin() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE trial_params ADD COLUMN more TEXT"))
    changed = QuickStorage(sqlite_url(tmp_path / "study.db"))
    assert not changed.is_plain
    assert [trial.params for trial in written(changed)] == [TRIAL.params] * 2


class Changed(RDBStorage):
    """Optuna's storage as a later release may have it."""

    def _get_prepared_new_trial(self, session: object) -> None:  # type: ignore[override]  # as a release may
        assert session


def test_a_release_of_optuna_whose_method_takes_something_else_is_noticed() -> None:
    assert has_replaced_method(RDBStorage)
    assert not has_replaced_method(Changed)


@pytest.mark.xdist_group("postgres")
def test_an_address_of_postgresql_without_a_driver_is_opened_by_psycopg(postgres: str) -> None:
    for scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        url = new_database(postgres).replace("postgresql", scheme, 1)
        assert not has_studies(url, Path())
        written(storage_with_tables(url))
        assert has_studies(url, Path())


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        (
            "postgresql://ada:secret@server/db",
            r"postgresql\+psycopg, .*'neptune-nas\[postgres\]'",
        ),
        ("mysql+mysqldb://ada:secret@server/db", r"mysql\+mysqldb, which is not .*: install it"),
    ],
)
def test_a_driver_that_is_missing_is_said_in_a_sentence(
    url: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("psycopg", "MySQLdb"):
        monkeypatch.setitem(sys.modules, name, None)
    for use in (lambda: has_studies(url, Path()), lambda: open_store(url, "few")):
        with pytest.raises(StudyError, match=rf"needs the driver {remedy}\.$") as caught:
            use()
        assert "secret" not in str(caught.value)

"""Our storage writes what Optuna's would, in fewer statements."""

from collections.abc import Sequence
from pathlib import Path

import optuna
import sqlalchemy
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from neptune_nas.study.database import QuickStorage, is_known, sqlite_url

KINDS = {
    "stages.0.norm": CategoricalDistribution(("batch", None, 1.5)),
    "stages.0.width": IntDistribution(8, 64, step=8),
    "stages.depth": IntDistribution(1, 3),
}
TRIAL = create_trial(
    state=TrialState.RUNNING,
    params={"stages.0.norm": 1.5, "stages.0.width": 24, "stages.depth": 3},
    distributions=dict(KINDS),
    user_attrs={"key": "k"},
)


def written(storage: RDBStorage) -> Sequence[FrozenTrial]:
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


def test_a_parameter_is_written_in_one_statement(tmp_path: Path) -> None:
    storage = QuickStorage(sqlite_url(tmp_path / "study.db"))
    said: list[str] = []

    def hear(_: object, __: object, statement: str, *___: object) -> None:
        said.append(statement)

    sqlalchemy.event.listen(storage.engine, "before_cursor_execute", hear)
    written(storage)
    about = [each for each in said if "trial_params" in each and not each.startswith("SELECT")]
    assert len(about) == 2 * len(KINDS)
    asked = [each for each in said if "FROM trial_params" in each and "LIMIT" in each]
    assert asked == []


class Changed(RDBStorage):
    """Optuna's storage as a later release may have it."""

    def _set_trial_param_without_commit(self, session: object) -> None:  # type: ignore[override]  # as a release may
        assert session


def test_a_release_of_optuna_that_writes_otherwise_is_noticed() -> None:
    assert is_known(RDBStorage)
    assert not is_known(Changed)

"""The store of trials: an Optuna study, readable by `optuna-dashboard`, written step by step.

Parameters are the picks by path. Everything else about a trial is in its user attributes:
`architecture` (JSON), `key`, each counted and timed metric by its name, `given` (if the search was
told to try it), `trace` (if an exception ended it) and `scores`, a list that grows by one with
every evaluation. The main score below the last rung is also an intermediate value.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from neptune_nas.architecture.codec import from_json, to_json
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import StudyError
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.metrics.registry import COSTS, Metric
from neptune_nas.metrics.score import score_from_json, score_to_json
from neptune_nas.study.database import (
    SQLITE,
    database_errors,
    has_studies,
    require_database,
    storage_at,
)
from neptune_nas.study.objectives import directions
from neptune_nas.study.trial import State, Trial
from neptune_nas.text import redact

P = ParamSpec("P")
R = TypeVar("R")

_STATES = {
    TrialState.RUNNING: State.RUNNING,
    TrialState.WAITING: State.RUNNING,
    TrialState.COMPLETE: State.FINISHED,
    TrialState.PRUNED: State.PRUNED,
    TrialState.FAIL: State.FAILED,
}
_COUNTS = "neptune:counts"
_QUESTION = "neptune:question"
_NUMERICS = "neptune:numerics"


def _with_study_errors(method: Callable[P, R]) -> Callable[P, R]:
    """Wrap a method of `Store` so that it reports a database's error in one sentence.

    Ctrl-C waits for the end of the method: half a transaction would leave the database locked.
    """

    @wraps(method)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with ctrl_c_held():
                return method(*args, **kwargs)
        except StorageInternalError as error:
            reason = str(error.__cause__ or error).partition("\n")[0]
            raise StudyError(
                f"the study's database cannot be used ({reason}): free some space or fix "
                f"the connection; the same command then resumes from the last trial written."
            ) from error

    return told


@dataclass(frozen=True, slots=True)
class Store:
    """One Optuna study in one storage."""

    storage: BaseStorage
    study_id: int
    allow: tuple[type, ...] = ()

    @_with_study_errors
    def trials(self) -> tuple[Trial, ...]:
        """Return all trials, in the order they began."""
        found = self.storage.get_all_trials(self.study_id, deepcopy=False)
        return tuple(
            _trial_from(frozen, self.allow) for frozen in found if "key" in frozen.user_attrs
        )

    @_with_study_errors
    def frozen_trials(self) -> Sequence[FrozenTrial]:
        """Return the trials in Optuna's form."""
        return self.storage.get_all_trials(self.study_id, deepcopy=False)

    @_with_study_errors
    def add(
        self,
        trial: Trial,
        distributions: Mapping[str, BaseDistribution],
        system_attrs: Mapping[str, Any],
    ) -> Trial:
        """Write a new running trial, in one transaction, and return it with its number.

        `system_attrs`: what the sampler recorded, such as the generation, for use after a restart.
        """
        attributes = {
            "key": trial.key,
            "architecture": to_json(trial.architecture),
            **trial.values,
            "scores": [],
        }
        if trial.given:
            attributes["given"] = True
        template = create_trial(
            state=TrialState.RUNNING,
            params=trial.picks,
            distributions=dict(distributions),
            user_attrs=attributes,
            system_attrs=dict(system_attrs),
        )
        trial_id = self.storage.create_new_trial(self.study_id, template)
        return replace(trial, number=self.storage.get_trial_number_from_id(trial_id))

    @_with_study_errors
    def add_score(self, trial: Trial, is_last: bool) -> None:
        """Write the newest score of `trial`, which keeps running."""
        trial_id = self._id(trial.number)
        scores = [score_to_json(score) for score in trial.scores]
        self.storage.set_trial_user_attr(trial_id, "scores", scores)
        newest = trial.scores[-1]
        if newest.trace is not None:
            self.storage.set_trial_user_attr(trial_id, "trace", newest.trace)
        if newest.ok and newest.proxy is None and not is_last:
            self.storage.set_trial_intermediate_value(trial_id, newest.fidelity, newest.main)

    @_with_study_errors
    def finish(self, trial: Trial, values: Sequence[float] | None) -> None:
        """Write the end of `trial`; `values`: its objectives, if it reached the last rung."""
        state = next(ours for ours, theirs in _STATES.items() if theirs is trial.state)
        self.storage.set_trial_state_values(self._id(trial.number), state, values)

    @_with_study_errors
    def counts(self) -> dict[str, float]:
        """Return the totals that no trial records, such as the number of duplicate proposals."""
        attributes = self.storage.get_study_user_attrs(self.study_id)
        found: dict[str, float] = attributes.get(_COUNTS, {})
        return found

    @_with_study_errors
    def set_counts(self, counts: Mapping[str, float]) -> None:
        """Write the totals that no trial records."""
        self.storage.set_study_user_attr(self.study_id, _COUNTS, dict(counts))

    @_with_study_errors
    def keep_numerics(self, numerics: Numerics | None) -> None:
        """Write the numerics of training, unless the study has them already."""
        if numerics and _NUMERICS not in self.storage.get_study_user_attrs(self.study_id):
            self.storage.set_study_user_attr(self.study_id, _NUMERICS, asdict(numerics))

    def _id(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self.study_id, number)


def create_store(
    url: str, name: str, aims: Sequence[Metric], question: str, allow: tuple[type, ...] = ()
) -> Store:
    """Return the study `name` in the storage at `url`, which is created if it is new.

    `aims`: its objectives, whose names other programs then show. A study whose process was killed
    before its question was written is begun again. Raises `StudyError` where the storage cannot be
    opened, or holds a study of that name with another question.
    """
    turned = [StudyDirection[direction.upper()] for direction in directions(aims)]
    with database_errors(url):
        storage = storage_at(url)
        try:
            study_id = storage.create_new_study(turned, name)
        except optuna.exceptions.DuplicatedStudyError:
            study_id = storage.get_study_id_from_name(name)
            alike = storage.get_study_directions(study_id) == turned
            is_new = alike and is_unasked(storage, study_id, url)
        else:
            is_new = True
        if is_new:
            _name_objectives(storage, name, aims)
            storage.set_study_user_attr(study_id, _QUESTION, question)
        _check_question(storage, study_id, question, url)
    return Store(storage, study_id, allow)


def _name_objectives(storage: BaseStorage, name: str, aims: Sequence[Metric]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        found = optuna.load_study(study_name=name, storage=storage)
        found.set_metric_names([aim.name for aim in aims])


def check_store(url: str, name: str, question: str, made: Path) -> None:
    """Refuse what `create_store` would refuse, and leave the storage unchanged.

    `made`: the study's folder, which need not exist yet.
    """
    if not has_studies(url, made):
        return
    with database_errors(url):
        storage = storage_at(url)
        with suppress(KeyError):
            study_id = storage.get_study_id_from_name(name)
            if not is_unasked(storage, study_id, url):
                _check_question(storage, study_id, question, url)


def numerics_at(url: str, name: str, made: Path) -> Numerics | None:
    """Return the numerics of the study `name` in the storage at `url`.

    None if there is no such study, or if it trains nothing. `made`: the study's folder, which need
    not exist yet.
    """
    if not has_studies(url, made):
        return None
    with database_errors(url):
        storage = storage_at(url)
        with suppress(KeyError):
            study_id = storage.get_study_id_from_name(name)
            kept = storage.get_study_user_attrs(study_id).get(_NUMERICS)
            return None if kept is None else Numerics(**kept)
    return None


def is_unasked(storage: BaseStorage, study_id: int, url: str) -> bool:
    """Return whether a study has neither question nor trials, as after an immediate kill.

    Only in a file of SQLite: on a server, another machine may be about to write the question.
    """
    asked = _QUESTION in storage.get_study_user_attrs(study_id)
    return url.startswith(SQLITE) and not asked and not storage.get_n_trials(study_id)


def _check_question(storage: BaseStorage, study_id: int, question: str, url: str) -> None:
    """Refuse a study that was begun with another question."""
    if storage.get_study_user_attrs(study_id).get(_QUESTION) != question:
        name = storage.get_study_name_from_id(study_id)
        raise StudyError(
            f"storage {redact(url)} holds another study '{name}' (of another space, data or "
            f"options): give this search another `name` (--study-name)."
        )


def open_store(url: str, name: str, allow: tuple[type, ...] = ()) -> Store:
    """Return the study `name` in the storage at `url`, to read.

    Raises `StudyError` where the storage cannot be opened or holds no such study.
    """
    if url.startswith(SQLITE):
        require_database(url, name)
    with database_errors(url):
        storage = storage_at(url)
        try:
            return Store(storage, storage.get_study_id_from_name(name), allow)
        except KeyError as error:
            raise StudyError(f"storage {redact(url)} holds no study '{name}'.") from error


def _trial_from(frozen: FrozenTrial, allow: Iterable[type] = ()) -> Trial:
    """Return our record of an Optuna trial that `Store.add` wrote."""
    attributes = frozen.user_attrs
    scores = tuple(score_from_json(data) for data in attributes["scores"])
    return Trial(
        number=frozen.number,
        architecture=from_json(attributes["architecture"], allow),
        key=attributes["key"],
        values={cost.name: attributes[cost.name] for cost in COSTS if cost.name in attributes},
        picks=frozen.params,
        scores=scores,
        state=_STATES[frozen.state],
        failure=next((s.failure for s in reversed(scores) if s.failure), None),
        given=attributes.get("given", False),
        trace=attributes.get("trace"),
    )

"""The store of trials: an Optuna study, readable by `optuna-dashboard`, written step by step.

Parameters are the picks by path. Everything else about a trial is in its user attributes:
`architecture` (JSON), `key`, each counted and timed metric by its name, `given` (if the search was
told to try it), `trace` (if an exception ended it) and `scores`, a list that grows by one with
every evaluation. The main score below the last rung is also an intermediate value.
"""

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from neptune_nas.architecture.codec import from_json, has_key, to_json
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import FileFormatError, StudyError
from neptune_nas.files.documents import parse_json
from neptune_nas.files.rules import Number, at_least
from neptune_nas.files.schema import check_value, decode
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.metrics.registry import COSTS, Metric
from neptune_nas.metrics.score import score_to_json
from neptune_nas.nn.model_zoo import ZOO
from neptune_nas.study.database import (
    engine_of,
    has_studies,
    insert_if_absent,
    storage_with_tables,
)
from neptune_nas.study.database_url import database_errors
from neptune_nas.study.objectives import directions
from neptune_nas.study.read_only import read_only_storage
from neptune_nas.study.rows import TrialRow, orphan_id, read_rows
from neptune_nas.study.stored_trial import (
    check_numbers,
    checked_attributes,
    damage,
    damage_errors,
)
from neptune_nas.study.trial import State, Trial
from neptune_nas.text import redact_url

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
_Total = Annotated[Number, at_least(0)]
_QUESTION = "neptune:question"
_NUMERICS = "neptune:numerics"


def _with_study_errors(method: Callable[P, R]) -> Callable[P, R]:
    """Wrap a method of `Store` so that it reports a database's error in one sentence.

    Ctrl-C waits for the end of the method: half a transaction would leave the database locked.
    """

    @wraps(method)
    def with_errors(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with ctrl_c_held():
                return method(*args, **kwargs)
        except StorageInternalError as error:
            reason = str(error.__cause__ or error).partition("\n")[0]
            raise StudyError(
                f"the study's database cannot be used ({reason}): free some space or fix "
                f"the connection; the same command then resumes from the last trial written."
            ) from error

    return with_errors


@dataclass(frozen=True, slots=True)
class SamplerRecord:
    """The parts of a trial that a sampler needs after a restart, besides picks and scores.

    `distributions`: the options of each open field that it picked. `system_attrs`: what it
    recorded, such as the generation.
    """

    distributions: Mapping[str, BaseDistribution]
    system_attrs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Store:
    """One Optuna study in one storage."""

    storage: BaseStorage
    study_id: int
    allow: tuple[type, ...] = ()

    @_with_study_errors
    def trials(self) -> tuple[Trial, ...]:
        """Return all trials, in the order they began."""
        with damage_errors():
            return tuple(trial for trial, _ in self._read())

    @_with_study_errors
    def sampler_records(self) -> list[tuple[Trial, SamplerRecord]]:
        """Return all trials, in the order they began, with what a sampler needs after a restart."""
        with damage_errors():
            return [(trial, _sampler_record(row)) for trial, row in self._read()]

    def _read(self) -> Iterator[tuple[Trial, TrialRow]]:
        seen: dict[bytes, Any] = {}
        numbers, ids = list[int](), list[int]()
        with engine_of(self.storage).connect() as connection:
            for row in read_rows(connection, self.study_id):
                numbers.append(row.number)
                if _is_ours(row):
                    ids.append(row.id)
                    yield _trial_from(row, self.allow, seen), row
                elif row.state.is_finished():  # no search of ours ends a trial that it did not add
                    raise damage(f"trial {row.number} is {row.state.name}, but has no attributes")
            check_numbers(numbers)
            # A gap in the numbers shows what is lost between two trials, so an orphan in front of
            # the last one belongs to another study, unless it was torn from a trial of this one.
            last_id = max(ids, default=0) if len(ids) == len(numbers) else 0
            if (orphan := orphan_id(connection, last_id)) is not None:
                raise damage(f"the attributes of a trial with the id {orphan} have no trial")

    @_with_study_errors
    def size(self) -> int:
        """Return the number of trials."""
        return self.storage.get_n_trials(self.study_id)

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
        with damage_errors():
            attributes = self.storage.get_study_user_attrs(self.study_id)
            counts: dict[str, float] = attributes.get(_COUNTS, {})
            check_value(counts, dict[str, _Total], _COUNTS, StudyError)
        return counts

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
    before its question was written is begun again. Several processes may do this at once: the first
    question that is written stays. Raises `StudyError` where the storage cannot be opened, or holds
    a study of that name with another question.
    """
    goals = [StudyDirection[direction.upper()] for direction in directions(aims)]
    with database_errors(url):
        storage = storage_with_tables(url)
        with suppress(optuna.exceptions.DuplicatedStudyError):
            storage.create_new_study(goals, name)
        study_id = storage.get_study_id_from_name(name)
        if storage.get_study_directions(study_id) == goals and _is_empty(storage, study_id):
            row = {"study_id": study_id, "key": _QUESTION, "value_json": json.dumps(question)}
            insert_if_absent(engine_of(storage), "study_user_attributes", row)
        _check_question(storage, study_id, question, url)
        _name_objectives(storage, name, aims)
    return Store(storage, study_id, allow)


def _name_objectives(storage: BaseStorage, name: str, aims: Sequence[Metric]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.load_study(study_name=name, storage=storage)
        if study.metric_names is None:
            study.set_metric_names([aim.name for aim in aims])


def check_store(url: str, name: str, question: str, folder: Path) -> None:
    """Refuse what `create_store` would refuse, and leave the storage unchanged.

    `folder`: the study's folder, which need not exist yet.
    """
    if not has_studies(url, folder):
        return
    with database_errors(url):
        storage = read_only_storage(url)
        with suppress(KeyError):
            study_id = storage.get_study_id_from_name(name)
            if not _is_empty(storage, study_id):
                _check_question(storage, study_id, question, url)


def numerics_at(url: str, name: str, folder: Path) -> Numerics | None:
    """Return the numerics of the study `name` in the storage at `url`.

    None if there is no such study, or if it trains nothing. `folder`: the study's folder,
    which need not exist yet.
    """
    if not has_studies(url, folder):
        return None
    with database_errors(url):
        storage = read_only_storage(url)
        with suppress(KeyError):
            study_id = storage.get_study_id_from_name(name)
            numerics = storage.get_study_user_attrs(study_id).get(_NUMERICS)
            return None if numerics is None else decode(Numerics, numerics)
    return None


def check_not_renamed(url: str, name: str, folder: Path) -> None:
    """Refuse a folder's own database that holds studies, but not the study `name`.

    Such is a copy of a study's folder that has another name and no `study.toml`.
    """
    if not has_studies(url, folder):
        return
    with database_errors(url):
        names = [study.study_name for study in read_only_storage(url).get_all_studies()]
    if names and name not in names:
        raise StudyError(
            f"{folder} has the trials of study '{names[0]}' but no study.toml: restore that file, "
            f"or give the study's own `name` (--study-name), {names[0]}; to begin another "
            f"study, choose a `name` whose folder is new."
        )


def _is_empty(storage: BaseStorage, study_id: int) -> bool:
    """Return whether a study has neither question nor trials, as after an immediate kill."""
    has_question = _QUESTION in storage.get_study_user_attrs(study_id)
    return not has_question and not storage.get_n_trials(study_id)


def _check_question(storage: BaseStorage, study_id: int, question: str, url: str) -> None:
    """Refuse a study that was begun with another question."""
    if storage.get_study_user_attrs(study_id).get(_QUESTION) != question:
        name = storage.get_study_name_from_id(study_id)
        raise StudyError(
            f"storage {redact_url(url)} holds another study '{name}' (of another space, data or "
            f"options): give this search another `name` (--study-name)."
        )


def open_store(
    url: str, name: str, allow: tuple[type, ...] = (), question: str | None = None
) -> Store:
    """Return the study `name` in the storage at `url`, to read.

    `question`: what its settings ask, by which the right study is recognised. Raises `StudyError`
    where the storage cannot be opened, or does not hold that study.
    """
    with database_errors(url):
        storage = read_only_storage(url)
        try:
            study_id = storage.get_study_id_from_name(name)
        except KeyError as error:
            raise StudyError(
                f"storage {redact_url(url)} holds no study '{name}': restore the right database, "
                f"or start a study with another name."
            ) from error
        old = storage.get_study_user_attrs(study_id).get(_QUESTION)
        if question not in (None, old):
            raise StudyError(
                f"storage {redact_url(url)} holds a study '{name}' with another question (space, "
                f"data or options) than its study.toml: one of the two was changed or replaced; "
                f"restore the one that matches the other."
            )
        return Store(storage, study_id, allow)


def _is_ours(row: TrialRow) -> bool:
    """Return whether a trial has anything that `Store.add` writes, unlike another program's."""
    return not {"key", "architecture", "scores"}.isdisjoint(row.attributes)


def _sampler_record(row: TrialRow) -> SamplerRecord:
    attributes = {name: json.loads(text) for name, text in row.system_attributes.items()}
    return SamplerRecord(row.distributions, attributes)


def _content_of(row: TrialRow) -> dict[str, Any]:
    """Return the attributes of a trial; raises `FileFormatError` for one that is not JSON."""
    content, name = dict[str, Any](), ""
    try:
        for name, text in row.attributes.items():
            content[name] = parse_json(text)
    except FileFormatError as error:
        raise FileFormatError(f"`{name:.60}`: {error}") from error
    return content


def _trial_from(row: TrialRow, allow: Iterable[type], seen: dict[bytes, Any]) -> Trial:
    """Return our record of a trial that `Store.add` wrote; `seen`: the parts of earlier ones.

    Raises `StudyError` for a value that cannot be read, or breaks its rule.
    """
    try:
        attributes = checked_attributes(row.number, _content_of(row))
        architecture = from_json(attributes["architecture"], (*ZOO, *allow), seen=seen)
        if not has_key(architecture, attributes["architecture"], attributes["key"]):
            raise FileFormatError("`key` is not that of its architecture")
    except FileFormatError as error:
        raise damage(f"trial {row.number}: {error}") from error
    scores = attributes["scores"]
    return Trial(
        number=row.number,
        architecture=architecture,
        key=attributes["key"],
        values={cost.name: attributes[cost.name] for cost in COSTS if cost.name in attributes},
        picks=row.picks,
        scores=scores,
        state=_STATES[row.state],
        failure=next((s.failure for s in reversed(scores) if s.failure), None),
        given=attributes.get("given", False),
        trace=attributes.get("trace"),
    )

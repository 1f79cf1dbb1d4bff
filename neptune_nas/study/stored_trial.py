"""Checks of trials as a database holds them, which may be damaged, or come from anyone."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from optuna.exceptions import OptunaError
from sqlalchemy.exc import SQLAlchemyError

from neptune_nas.errors import FileFormatError, NeptuneError, StudyError
from neptune_nas.files.schema import check_names, check_value, fault, located
from neptune_nas.metrics.registry import COSTS, Metric
from neptune_nas.metrics.score import Score, costs_in, score_in
from neptune_nas.study.settings import Question
from neptune_nas.study.trial import State, Trial
from neptune_nas.text import redact

_NEEDED = ("key", "architecture", "scores")
_KEY = re.compile(r"[0-9a-f]{16}")
_NAMES = (*_NEEDED, *(cost.name for cost in COSTS), "given", "trace")
_DAMAGE = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError),
    *(TypeError, ValueError, Warning, SQLAlchemyError, OptunaError),
)
"""The errors that Optuna, SQLAlchemy and the decoding of rows may raise."""


def damage(reason: object) -> StudyError:
    """Return the error about a database whose content cannot be that of a study."""
    why = redact(str(reason)).rstrip(".")
    return StudyError(
        f"the study's database is damaged or was changed by hand: {why}; restore a copy of it, or "
        f"search under another name."
    )


@contextmanager
def damage_errors() -> Iterator[None]:
    """Turn the errors that a damaged database leads to, while it is read, into a `StudyError`."""
    try:
        yield
    except NeptuneError:
        raise
    except _DAMAGE as error:
        cause = error.__cause__ or error
        line = str(cause).partition("\n")[0]
        raise damage(f"{type(cause).__name__}: {line}" if line else type(cause).__name__) from error


def checked_attributes(number: object, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a trial, decoded but for its architecture.

    Raises `StudyError` for the first that is missing, unknown, or of another type or range.
    """
    try:
        with located(f"trial {number}"):
            check_value(number, int, "number", FileFormatError)
            check_names(attributes, _NAMES, _NEEDED)
            key, scores = attributes["key"], attributes["scores"]
            if not isinstance(key, str) or not _KEY.fullmatch(key):
                raise FileFormatError(fault("key", "16 hex digits", key))
            if not isinstance(scores, list):
                raise FileFormatError(fault("scores", "a list", scores))
            check_value(attributes.get("given", False), bool, "given", FileFormatError)
            check_value(attributes.get("trace"), str | None, "trace", FileFormatError)
            costs = {each.name: attributes[each.name] for each in COSTS if each.name in attributes}
            costs_in(costs, "costs")
            read = tuple(score_in(data, f"scores.{i}") for i, data in enumerate(scores))
    except FileFormatError as error:
        raise damage(error) from error
    return {**attributes, "scores": read}


def check_numbers(numbers: Iterable[int]) -> None:
    """Refuse trials that are not numbered from 0 without a gap; raises `StudyError`."""
    present = [*numbers]
    for number in sorted({*range(len(present))}.difference(present)):
        raise damage(f"trial {number} is missing")


def check_trials(question: Question, trials: Iterable[Trial]) -> None:
    """Refuse trials that no search with this question can have written; raises `StudyError`."""
    seen = -1
    for trial in trials:
        if trial.number <= seen:
            raise damage(f"two trials have the number {trial.number}")
        seen = trial.number
        for i, score in enumerate(trial.scores):
            if reason := _score_fault(question, score):
                raise damage(f"trial {trial.number}: `scores.{i}`: {reason}")
        if not _is_possible(question, trial):
            raise damage(f"trial {trial.number} is {trial.state}, which its scores contradict")
        if lacking := [aim.name for aim in question.aims if _lacks(trial, aim)]:
            raise damage(f"trial {trial.number}: `costs.{lacking[0]}` is missing")


def _lacks(trial: Trial, aim: Metric) -> bool:
    return not aim.is_scored and aim.name not in trial.values


def _is_possible(question: Question, trial: Trial) -> bool:
    """Return whether a search can have left a trial with these scores in this state."""
    newest, last = trial.scores[-1] if trial.scores else None, question.rungs[-1]
    match trial.state:
        case State.FINISHED:
            return newest is not None and newest.ok and newest.fidelity == last
        case State.PRUNED:
            return newest is not None and newest.ok and newest.fidelity < last
        case State.FAILED:
            return newest is None or not newest.ok
    return True


def _score_fault(question: Question, score: Score) -> str:
    """Return what is wrong with a score, or "" if nothing is."""
    if score.fidelity not in question.rungs:
        return fault("fidelity", f"one of {', '.join(map(str, question.rungs))}", score.fidelity)
    if score.proxy is not None and (score.fidelity or not question.proxy or score.values):
        return f"`proxy` is {score.proxy}, but no proxy was measured there"
    if score.failure is not None or score.proxy is not None:
        return ""
    names, known = [*score.values], {metric.name: metric for metric in question.scored}
    if names[:1] != [question.main.name]:
        words = f"a mapping that begins with {question.main.name}"
        return fault("values", words, dict(score.values))
    for name, value in score.values.items():
        if name not in known:
            return fault("values", f"a mapping of only {', '.join(known)}", dict(score.values))
        metric = known[name]
        if not (metric.admits(value) or value != value or value == metric.worst):
            words = "a share, a number in 0..1" if metric.unit == "share" else "a number"
            return fault(f"values.{name}", words, value)
    if missing := [aim.name for aim in question.aims if aim.is_scored and aim.name not in names]:
        return f"`values.{missing[0]}` is missing"
    return ""

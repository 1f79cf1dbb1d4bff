"""Latencies that were measured after a search, which replace the predicted ones of its trials."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from neptune_nas.deploy.latency_table import Measured, read_latencies
from neptune_nas.files.regular import is_there
from neptune_nas.metrics.registry import TIMED
from neptune_nas.study.folder import Folder
from neptune_nas.study.settings import Question
from neptune_nas.study.trial import State, Trial

_METRIC = TIMED[0]


def latency_rows(folder: Folder) -> tuple[Measured, ...]:
    """Return the measured latencies of a study; none if there is no such file.

    Raises `FileFormatError` for a malformed file.
    """
    return read_latencies(folder.latencies) if is_there(folder.latencies) else ()


def with_latencies(
    question: Question, trials: Sequence[Trial], rows: Iterable[Measured]
) -> tuple[Trial, ...]:
    """Return the trials with their measured latencies.

    One whose latency breaks a limit counts as failed, so that nothing recommends it.
    """
    times = {row.key: row.latency_ms for row in rows if row.use == "pick"}
    return tuple(
        _measured(question, trial, times[trial.key]) if trial.key in times else trial
        for trial in trials
    )


def _measured(question: Question, trial: Trial, value: float) -> Trial:
    name = _METRIC.name
    before = trial.values.get(name)
    predicted = {} if before is None else {name: before}
    found = replace(trial, values={**trial.values, name: value}, predicted=predicted)
    broken = [limit for limit in question.limits if limit.name == name and not limit.holds(value)]
    if not broken or trial.state is not State.FINISHED:
        return found
    return replace(
        found,
        state=State.FAILED,
        failure=f"its latency, measured as {value:.3g} ms, breaks {broken[0]}",
    )


def without_latencies(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Return the trials with the latencies that the search predicted, to judge it by.

    One that failed since its measured latency broke a limit is as it was before.
    """
    return tuple(_as_predicted(trial) if trial.predicted else trial for trial in trials)


def _as_predicted(trial: Trial) -> Trial:
    is_broken = trial.state is State.FAILED
    return replace(
        trial,
        values={**trial.values, **trial.predicted},
        predicted={},
        state=State.FINISHED if is_broken else trial.state,
        failure=None if is_broken else trial.failure,
    )

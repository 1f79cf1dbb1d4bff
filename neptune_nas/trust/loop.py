"""The loop that makes the evaluations of audits, confirmations and reference networks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from itertools import islice
from statistics import median
from time import monotonic
from typing import Protocol

from neptune_nas.engine.engine import Call, Engine, Result
from neptune_nas.errors import NeptuneError
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.metrics.score import Score
from neptune_nas.report.outputs import write_outputs
from neptune_nas.search.config import Search, ignore
from neptune_nas.search.resume import check_same, study_of
from neptune_nas.study.folder import Folder, open_folder
from neptune_nas.study.notebook import NotebookBar, in_notebook
from neptune_nas.study.study import Study
from neptune_nas.text import clock, counted, duration


class _FollowUp(Protocol):
    """The evaluations that a study still needs, and the place where their results are written."""

    @property
    def missing(self) -> int:
        """The number of evaluations still to be made, as far as is known now."""

    @property
    def fidelity(self) -> int:
        """The fidelity of each evaluation."""

    def calls(self) -> Iterator[Call]:
        """Yield the calls to make next, each with an id that no pending call has."""

    def take(self, results: Sequence[Result]) -> list[str]:
        """Write results to disk, then return a sentence on each."""


@dataclass(frozen=True, slots=True)
class Step:
    """The arrival of one result of a follow-up.

    `done` of `total` evaluations are complete, as far as is known now. `seconds_left`: an estimate
    from the pace so far. `text`: a sentence on the result.
    """

    done: int
    total: int
    seconds_left: float
    text: str
    score: Score

    @property
    def line(self) -> str:
        """The result and the progress in a line."""
        left = f", {clock(self.seconds_left)} left" if self.done < self.total else ""
        return f"{self.text}; {self.done} of {counted(self.total, 'evaluation')}{left}"


OnStep = Callable[[Step], None]
_Lock = Callable[[Folder], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Forecast:
    """The work that a follow-up would do: `evaluations`, `at_once` of them in parallel.

    `seconds`: estimated from the study's own evaluations; None where none of them was timed.
    """

    evaluations: int
    fidelity: int
    at_once: int
    seconds: float | None


def follow_up(
    search: Search,
    make: Callable[[Study], _FollowUp],
    watch: OnStep | None = None,
    lock: _Lock = Folder.locked,
) -> Study:
    """Make the evaluations that a follow-up of a search's study needs, and write its outputs.

    `make`: returns the follow-up of the study in its current state. Each result is written at once,
    so an interrupted follow-up can go on. Without `watch`, a notebook shows the progress. Raises
    `StudyError` where the study has another question or other data, or where another process is at
    work on it.
    """
    if watch is None and in_notebook():
        start = f"measuring in {search.folder.path}"
        with NotebookBar(start, lambda step: (step.done, step.total, step.line)) as bar:
            return follow_up(search, make, bar, lock)
    open_folder(search.folder.path)
    with ctrl_c_held(), lock(search.folder):
        study = study_of(search)
        check_same(search, study)
        wanted = make(study)
        try:
            _evaluate(search.assembly.engine, wanted, watch or ignore)
        except BaseException:
            with suppress(NeptuneError):  # the first error is the one to report
                write_outputs(study_of(search))
            raise
        study = study_of(search)
        write_outputs(study)
    return study


def _evaluate(make_engine: Callable[[], Engine], wanted: _FollowUp, watch: OnStep) -> None:
    """Make all missing evaluations; an engine is started only if there are any."""
    if not wanted.missing:
        return
    began, done = monotonic(), 0
    with make_engine() as engine:
        while True:
            room = max(0, engine.slots - len(engine.pending))
            for call in islice(wanted.calls(), room):
                engine.submit(call)
            if not engine.pending:
                return
            results = engine.wait()
            texts = wanted.take(results)
            untold = len(results)
            for text, result in zip(texts, results, strict=True):
                done, untold = done + 1, untold - 1
                left = wanted.missing + untold
                seconds = (monotonic() - began) / done * left
                watch(Step(done, done + left, seconds, text, result.score))


def forecast_text(foreseen: Forecast, budget: str) -> str:
    """Return a forecast as a sentence; `budget`: that of each evaluation, in words."""
    if not foreseen.evaluations:
        return "Nothing is left to measure; only the report would be rewritten."
    about = "" if foreseen.seconds is None else f" in about {duration(foreseen.seconds)}"
    count = counted(foreseen.evaluations, "evaluation")
    return f"{count} would be made, each at {budget}, {foreseen.at_once} at once{about}."


def forecast(search: Search, make: Callable[[Study], _FollowUp]) -> Forecast:
    """Return what a follow-up would do, without doing it."""
    study = study_of(search)
    check_same(search, study)
    wanted, jobs = make(study), search.assembly.slots.jobs
    each = seconds_each(study)
    seconds = None if each is None else each * wanted.fidelity * wanted.missing / jobs
    return Forecast(wanted.missing, wanted.fidelity, jobs, seconds)


def seconds_each(study: Study) -> float | None:
    """Return the seconds of one unit of fidelity, the median of a study's scores.

    None where no score has a time.
    """
    scores = [score for trial in study.trials for score in trial.scores if score.ok]
    paces = [score.seconds / score.fidelity for score in scores if score.fidelity]
    return median(paces) if paces else None

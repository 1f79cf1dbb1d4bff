"""How far a search is, after each result."""

from dataclasses import dataclass, field
from time import monotonic

from neptune_nas.pareto import hypervolume
from neptune_nas.study.results import unit_box
from neptune_nas.study.settings import Settings
from neptune_nas.trial import State, Trial


@dataclass(frozen=True, slots=True)
class Progress:
    """The numbers a person watches.

    `best_accuracy`: of the trials at the last rung, 0..1; None while there is none.
    `hypervolume`: share of the box under the study's reference point, 0..1.
    `seconds_left`: by the pace of this session; None until it has one.
    """

    done: int
    total: int
    running: int
    failed: int
    best_accuracy: float | None
    hypervolume: float
    seconds_left: float | None


@dataclass(slots=True)
class Tracker:
    """Turns the trials of a running search into `Progress`, cheaply after each result."""

    settings: Settings
    began: float = field(init=False, default_factory=monotonic)
    at_start: int | None = field(init=False, default=None)

    def progress(self, trials: dict[int, Trial]) -> Progress:
        """Where the search stands; a trial is done once it has a score, be it promoted later."""
        last = self.settings.question.rungs[-1]
        ended = [t for t in trials.values() if t.state is not State.RUNNING]
        done = sum(bool(trial.scores) for trial in trials.values())
        if self.at_start is None:
            self.at_start = max(0, done - 1)
        ranked = [t for t in ended if t.state is State.FINISHED and t.scores_at(last)]
        gained = done - self.at_start
        elapsed = monotonic() - self.began
        return Progress(
            done=done,
            total=self.settings.trials,
            running=len(trials) - len(ended),
            failed=sum(t.state is State.FAILED for t in ended),
            best_accuracy=max((t.score.accuracy for t in ranked if t.score), default=None),
            hypervolume=hypervolume(*unit_box(self.settings, ranked)),
            seconds_left=(self.settings.trials - done) * elapsed / gained if gained else None,
        )

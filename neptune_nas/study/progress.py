"""How far a search is: after each of its own results, or read from a study on disk."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from time import monotonic

from neptune_nas.study.front import dominated_share
from neptune_nas.study.settings import Settings
from neptune_nas.study.study import Study
from neptune_nas.trial import State, Trial

RECENT = 20  # results that the pace of a study on disk is read from


@dataclass(frozen=True, slots=True)
class Progress:
    """The numbers a person watches.

    `done` of `total`: trials with a score, be they promoted later or not; `running` ones are begun
    and not at their end. `best_accuracy`: of the trials at the last rung, 0..1; None while there
    is none. `hypervolume`: share of the box under the study's reference point, 0..1.
    `seconds_left`: by the pace so far; None until there is one.
    `newest`: the trial that the latest result is of; None for a study read from disk.
    """

    done: int
    total: int
    running: int
    failed: int
    best_accuracy: float | None
    hypervolume: float
    seconds_left: float | None
    newest: Trial | None = None


@dataclass(slots=True)
class Tracker:
    """Turns the trials of a running search into `Progress` after each result."""

    settings: Settings
    began: float = field(init=False, default_factory=monotonic)
    at_start: int | None = field(init=False, default=None)

    def progress(self, trials: Collection[Trial], newest: Trial | None = None) -> Progress:
        """Where the search stands; its pace is that of this session."""
        done = count_done(trials)
        if self.at_start is None:
            self.at_start = max(0, done - 1)
        pace = (monotonic() - self.began, done - self.at_start)
        return replace(standing(self.settings, trials, pace), newest=newest)


def progress_of(study: Study, now: float) -> Progress:
    """Where a study on disk stands at `now` (Unix time); its pace is that of its last results."""
    starts = sorted(score.started for t in study.trials for score in t.scores)[-RECENT:]
    pace = (now - starts[0], len(starts)) if starts else (0.0, 0)
    settings = study.settings
    if study.ledger.exhausted:
        settings = replace(settings, trials=len(study.trials))
    return standing(settings, study.trials, pace)


def standing(settings: Settings, trials: Collection[Trial], pace: tuple[float, int]) -> Progress:
    """The progress at a pace, given as seconds and how many trials were done in them."""
    done, (seconds, gained) = count_done(trials), pace
    last = settings.question.rungs[-1]
    ranked = [t for t in trials if t.state is State.FINISHED and t.scores_at(last)]
    return Progress(
        done=done,
        total=settings.trials,
        running=sum(t.state is State.RUNNING for t in trials),
        failed=sum(t.state is State.FAILED for t in trials),
        best_accuracy=max((t.score.accuracy for t in ranked if t.score), default=None),
        hypervolume=dominated_share(settings, ranked),
        seconds_left=max(0, settings.trials - done) * seconds / gained if gained else None,
    )


def count_done(trials: Collection[Trial]) -> int:
    """How many trials have a score."""
    return sum(bool(trial.scores) for trial in trials)


def is_complete(study: Study) -> bool:
    """Whether a study has all its trials, or all there are, and none of them goes on."""
    begun = len(study.trials) >= study.settings.trials or study.ledger.exhausted
    return begun and all(trial.state is not State.RUNNING for trial in study.trials)

"""Progress of a search, after each of its own results or read from a study on disk."""

from collections.abc import Callable, Iterable
from dataclasses import InitVar, dataclass, field, replace
from time import monotonic

from neptune_nas.metrics.registry import CLASSIFICATION
from neptune_nas.metrics.score import Score
from neptune_nas.study.folder import Folder
from neptune_nas.study.front import (
    Front,
    dominated_share,
    insert_into_front,
    losses_of,
    ranked_trials,
)
from neptune_nas.study.settings import Question, Settings
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State, Trial
from neptune_nas.text import clock, plural

RECENT = 20  # least number of results that give the pace of a study on disk


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a search in numbers.

    `done` of `total`: trials with a score, whether or not they are promoted later; where a later
    search asked for fewer, the total is all that have begun. `running`: begun and not ended.
    `best_score`: of the trials at the last rung, 0..1; None while there is none. `hypervolume`:
    share of the box under the study's reference point, 0..1. `seconds_left`: by the pace so far;
    None until each worker has, on average, a second result. `newest`: the trial of the latest
    result; None for a study read from disk. `metric`: what scores are of, by its title.
    `finished`: trials that have all their scores at the last rung.
    """

    done: int
    total: int
    running: int
    failed: int
    best_score: float | None
    hypervolume: float
    seconds_left: float | None
    newest: Trial | None = None
    metric: str = CLASSIFICATION[0].title
    finished: int = 0


OnProgress = Callable[[Progress], None]
"""Called after each result of a search; may raise `StopSearch`."""


@dataclass(slots=True)
class Pace:
    """The pace at which trials get their first scores.

    The first result of each worker does not count, since it includes the worker's start. So the
    clock starts when each worker has one, and is valid when as many more have arrived.
    """

    workers: set[int] = field(init=False, default_factory=set)
    since: float = field(init=False, default=0.0)
    gained: int = field(init=False, default=0)

    def note(self, score: Score, moment: float, *, is_first: bool) -> None:
        """Record a score that arrived at `moment`; `is_first`: whether it is its trial's first."""
        if score.worker in self.workers:
            self.gained += is_first
        else:
            self.workers.add(score.worker)
            self.since, self.gained = moment, 0

    def seconds_each(self, now: float) -> float | None:
        """Return the seconds between first scores, over all workers; None while too few are in."""
        is_known = self.gained >= max(1, len(self.workers))
        return (now - self.since) / self.gained if is_known else None


@dataclass(slots=True)
class Tally:
    """Counts trials as they arrive, again whenever they change; stores only those on the front."""

    settings: Settings
    scored: set[int] = field(init=False, default_factory=set)
    ended: dict[int, State] = field(init=False, default_factory=dict)
    front: Front = field(init=False, default_factory=list)
    best_score: float | None = field(init=False, default=None)

    def note(self, trial: Trial) -> None:
        """Record the present state of a trial."""
        if trial.scores:
            self.scored.add(trial.number)
        if trial.state is State.RUNNING or trial.number in self.ended:
            return
        self.ended[trial.number] = trial.state
        question = self.settings.question
        for each in ranked_trials(question, [trial]):
            score = each.score.main if each.score else 0.0
            self.best_score = max(score, self.best_score or 0.0)
            self.front = insert_into_front(self.front, (each, losses_of(question, each)))

    def progress(self, begun: int, seconds_each: float | None) -> Progress:
        """Return the progress with `begun` trials; `seconds_each`: the pace, if it is known."""
        done, total = len(self.scored), max(self.settings.trials, begun)
        return Progress(
            done=done,
            total=total,
            running=begun - len(self.ended),
            failed=sum(state is State.FAILED for state in self.ended.values()),
            finished=sum(state is State.FINISHED for state in self.ended.values()),
            best_score=self.best_score,
            hypervolume=dominated_share(self.settings, [trial for trial, _ in self.front]),
            metric=self.settings.question.main.title,
            seconds_left=None if seconds_each is None else (total - done) * seconds_each,
        )


@dataclass(slots=True)
class Tracker:
    """Turns the results of a running search into `Progress`.

    `earlier`: the trials of earlier sessions, which do not affect the pace of this one.
    """

    settings: Settings
    earlier: InitVar[Iterable[Trial]] = ()
    clock: Callable[[], float] = monotonic
    tally: Tally = field(init=False)
    pace: Pace = field(init=False, default_factory=Pace)

    def __post_init__(self, earlier: Iterable[Trial]) -> None:
        self.tally = Tally(self.settings)
        for trial in earlier:
            self.tally.note(trial)

    def progress(self, begun: int, newest: Trial) -> Progress:
        """Return the progress after a result of `newest`, with `begun` trials in all."""
        now = self.clock()
        self.tally.note(newest)
        for score in newest.scores[-1:]:
            self.pace.note(score, now, is_first=len(newest.scores) == 1)
        return replace(self.tally.progress(begun, self.pace.seconds_each(now)), newest=newest)


def progress_of(study: Study, now: float) -> Progress:
    """Return the progress of a study on disk at `now` (Unix time), by the pace of late results."""
    settings = study.settings
    if study.ledger.exhausted:
        settings = replace(settings, trials=max(len(study.trials), 1))
    tally = Tally(settings)
    for trial in study.trials:
        tally.note(trial)
    pace = pace_of(study.trials, study.ledger.began)
    return tally.progress(len(study.trials), pace.seconds_each(now))


def pace_of(trials: Iterable[Trial], since: float = 0.0) -> Pace:
    """Return the pace of the last results, from the Unix times at which they arrived.

    `since`: when the session began, so that a pause before it does not count.
    """
    came = sorted(
        (
            (score.started + score.seconds, i == 0, score)
            for t in trials
            for i, score in enumerate(t.scores)
            if score.started >= since
        ),
        key=lambda result: result[0],
    )
    pace, workers = Pace(), {score.worker for _, _, score in came}
    for moment, is_first, score in came[-max(RECENT, 3 * len(workers)) :]:
        pace.note(score, moment, is_first=is_first)
    return pace


def is_at_work(study: Study) -> bool | None:
    """Return whether a process searches or measures now; None where that cannot be known.

    A study with its own storage may be searched from a folder on another machine.
    """
    here = Folder(study.folder).is_in_use
    return here or (None if study.settings.storage else here)


def is_complete(study: Study) -> bool:
    """Return whether a study has all its trials, or all there are, and none of them is running."""
    begun = len(study.trials) >= study.settings.trials or study.ledger.exhausted
    return begun and all(trial.state is not State.RUNNING for trial in study.trials)


def progress_line(progress: Progress) -> str:
    """Return the progress in one line."""
    p = progress
    best = "-" if p.best_score is None else f"{p.best_score:.4f}"
    if p.best_score is None and p.done:
        best = "- (none at the last rung yet)"
    failed = f", {p.failed} failed" if p.failed else ""
    is_halving = p.done >= p.total and 0 < p.finished < p.done - p.failed
    whole = f", {p.finished} at the last rung" if is_halving else ""
    left = "" if p.seconds_left is None or p.done >= p.total else f", {clock(p.seconds_left)} left"
    return (
        f"{p.done}/{p.total} {plural(p.total, 'trial')}{whole}, best {p.metric} {best}, "
        f"hypervolume {p.hypervolume:.4f}{failed}{left}"
    )


def nothing_left(question: Question) -> str:
    """Return why a search ended before it had all its trials."""
    limits = " that the constraints admit" if question.constraints else ""
    return f"the space has nothing new left to measure{limits}"

"""How far a search is: after each of its own results, or read from a study on disk."""

from collections.abc import Callable, Iterable
from dataclasses import InitVar, dataclass, field, replace
from time import monotonic

from neptune_nas.metrics.score import Score
from neptune_nas.study.folder import Folder
from neptune_nas.study.front import dominated_share, ranked_trials, undominated
from neptune_nas.study.settings import Question, Settings
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State, Trial

RECENT = 20  # results that the pace of a study on disk is read from, or three of each worker


@dataclass(frozen=True, slots=True)
class Progress:
    """The numbers a person watches.

    `done` of `total`: trials with a score, be they promoted later or not; where a later search
    asked for fewer, the total is all that have begun. `running` ones are begun and not at their
    end. `best_score`: of the trials at the last rung, 0..1; None while there is none.
    `hypervolume`: share of the box under the study's reference point, 0..1.
    `seconds_left`: by the pace so far; None until each worker has, on average, a second result.
    `newest`: the trial that the latest result is of; None for a study read from disk.
    """

    done: int
    total: int
    running: int
    failed: int
    best_score: float | None
    hypervolume: float
    seconds_left: float | None
    newest: Trial | None = None


OnProgress = Callable[[Progress], None]
"""Called after each result of a search; may raise `StopSearch`."""


@dataclass(slots=True)
class Pace:
    """How fast first scores of trials come.

    The first result of each worker does not count: it takes in the start of the worker, and what
    that does but once. So the clock starts when each has one, and is read when as many more are in.
    """

    workers: set[int] = field(init=False, default_factory=set)
    since: float = field(init=False, default=0.0)
    gained: int = field(init=False, default=0)

    def note(self, score: Score, moment: float, *, is_first: bool) -> None:
        """Take in a score at the moment that it came; `is_first`: of its trial."""
        if score.worker in self.workers:
            self.gained += is_first
        else:
            self.workers.add(score.worker)
            self.since, self.gained = moment, 0

    def seconds_each(self, now: float) -> float | None:
        """Seconds from one to the next, by all workers; None while too few are in to tell."""
        is_known = self.gained >= max(1, len(self.workers))
        return (now - self.since) / self.gained if is_known else None


@dataclass(slots=True)
class Tally:
    """Counts trials as they come, each again whenever it has changed; remembers the front alone."""

    settings: Settings
    scored: set[int] = field(init=False, default_factory=set)
    ended: dict[int, State] = field(init=False, default_factory=dict)
    front: list[Trial] = field(init=False, default_factory=list)
    best_score: float | None = field(init=False, default=None)

    def note(self, trial: Trial) -> None:
        """Take in how a trial stands now."""
        if trial.scores:
            self.scored.add(trial.number)
        if trial.state is State.RUNNING or trial.number in self.ended:
            return
        self.ended[trial.number] = trial.state
        question = self.settings.question
        for each in ranked_trials(question, [trial]):
            score = each.score.main if each.score else 0.0
            self.best_score = max(score, self.best_score or 0.0)
            self.front = undominated(question, [*self.front, each])

    def progress(self, begun: int, seconds_each: float | None) -> Progress:
        """Where `begun` trials stand, of which one is done in so many seconds, if that is known."""
        done, total = len(self.scored), max(self.settings.trials, begun)
        return Progress(
            done=done,
            total=total,
            running=begun - len(self.ended),
            failed=sum(state is State.FAILED for state in self.ended.values()),
            best_score=self.best_score,
            hypervolume=dominated_share(self.settings, self.front),
            seconds_left=None if seconds_each is None else (total - done) * seconds_each,
        )


@dataclass(slots=True)
class Tracker:
    """Turns the results of a running search into `Progress`.

    `earlier`: the trials of earlier sessions, which say nothing of the pace of this one.
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
        """Where the search stands, with `begun` trials in all, after a result of `newest`."""
        now = self.clock()
        self.tally.note(newest)
        for score in newest.scores[-1:]:
            self.pace.note(score, now, is_first=len(newest.scores) == 1)
        return replace(self.tally.progress(begun, self.pace.seconds_each(now)), newest=newest)


def progress_of(study: Study, now: float) -> Progress:
    """Where a study on disk stands at `now` (Unix time); its pace is that of its last results."""
    settings = study.settings
    if study.ledger.exhausted:
        settings = replace(settings, trials=max(len(study.trials), 1))
    tally = Tally(settings)
    for trial in study.trials:
        tally.note(trial)
    pace = pace_of(study.trials, study.ledger.began)
    return tally.progress(len(study.trials), pace.seconds_each(now))


def pace_of(trials: Iterable[Trial], since: float = 0.0) -> Pace:
    """The pace of the last results, at the Unix times that they came.

    `since`: when the session began, so that a pause before it is no part of the pace.
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
    """Whether a process searches, or measures more; None where that cannot be known.

    A study in a storage of its own may be searched from a folder of another machine.
    """
    here = Folder(study.folder).is_in_use
    return here or (None if study.settings.storage else here)


def is_complete(study: Study) -> bool:
    """Whether a study has all its trials, or all there are, and none of them goes on."""
    begun = len(study.trials) >= study.settings.trials or study.ledger.exhausted
    return begun and all(trial.state is not State.RUNNING for trial in study.trials)


def nothing_left(question: Question) -> str:
    """Why a search ended before it had all its trials."""
    limits = " that the constraints admit" if question.constraints else ""
    return f"the space has nothing new left to measure{limits}"

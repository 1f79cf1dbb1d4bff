"""Further seeds for the best trials of a study, until their scores are confirmed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from neptune_nas.engine.engine import Call, Result
from neptune_nas.errors import OptionError
from neptune_nas.files.rules import Size
from neptune_nas.files.schema import check_value
from neptune_nas.metrics.registry import BY_NAME
from neptune_nas.search.config import Search
from neptune_nas.study.confirmation import (
    Aim,
    Goal,
    evaluations_of,
    goal_trials,
    missing_seeds,
    trials_to_confirm,
    with_confirmation,
    write_confirmations,
)
from neptune_nas.study.folder import Folder
from neptune_nas.study.noise import seed_scores
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted
from neptune_nas.trust.loop import Forecast, OnStep, follow_up, forecast

BEST = Goal()


@dataclass(slots=True)
class _Confirmation:
    """The further seeds of the trials that a goal selects; every score can change the selection."""

    study: Study
    goal: Goal
    most: int | None
    tried: set[tuple[int, int]] = field(init=False, default_factory=set)
    pending: set[int] = field(init=False, default_factory=set)
    aim: Aim = field(init=False)

    def __post_init__(self) -> None:
        goal_trials(self.study, self.goal)  # refuses an unknown ranking, and a study without trials
        before = evaluations_of(self.study.trials)
        self.aim = Aim(self.goal, None if self.most is None else before + self.most)

    @property
    def fidelity(self) -> int:
        """The study's last rung."""
        return self.study.settings.question.rungs[-1]

    @property
    def missing(self) -> int:
        """The number of scores that the goal still needs, those that run included."""
        left = sum(
            len(self._fresh_seeds(trial)) for trial in trials_to_confirm(self.study, self.goal)
        )
        fresh = left if self.most is None else min(left, self.most - len(self.tried))
        return fresh + len(self.pending)

    def calls(self) -> Iterator[Call]:
        """Yield the next call of each trial that lacks scores; its id is the trial's number."""
        left = None if self.most is None else max(0, self.most - len(self.tried))
        wanted = (
            t for t in trials_to_confirm(self.study, self.goal) if t.number not in self.pending
        )
        for trial in islice((t for t in wanted if self._fresh_seeds(t)), left):
            seed = self._fresh_seeds(trial)[0]
            self.tried.add((trial.number, seed))
            self.pending.add(trial.number)
            yield Call(trial.number, trial.architecture, self.fidelity, seed)

    def take(self, results: Sequence[Result]) -> list[str]:
        """Write scores to `confirmations.json`."""
        texts = []
        for result in results:
            number = result.call.id
            self.pending.discard(number)
            self.study = with_confirmation(self.study, number, result.score)
            (trial,) = (t for t in self.study.trials if t.number == number)
            left = len(trials_to_confirm(self.study, self.goal))
            more = f"; {counted(left, 'trial')} still to confirm" if left else ""
            texts.append(f"{_sentence_on(trial)}{more}")
        self.write()
        return texts

    def write(self) -> None:
        """Write the current state to `confirmations.json`."""
        file = Folder(self.study.folder).confirmations
        write_confirmations(file, self.study.trials, self.aim)

    def _fresh_seeds(self, trial: Trial) -> list[int]:
        seeds = missing_seeds(self.study.settings.question, trial, self.goal)
        return [seed for seed in seeds if (trial.number, seed) not in self.tried]


def run_confirm(
    search: Search,
    goal: Goal = BEST,
    evaluations: int | None = None,
    watch: OnStep | None = None,
) -> Study:
    """Score the trials that `goal` selects from a search's study with further seeds.

    The selection can change with every score: a trial that falls behind is replaced by the next
    best, which is then confirmed in turn. Each result is written to `confirmations.json` at once,
    so an interrupted run can go on; a seed that failed is tried again once in every run.
    `evaluations`: the most to make now. Raises `OptionError` for an unknown ranking or more seeds
    than a table has, and `StudyError` where nothing can be ranked and as `follow_up` does.
    """
    _check_asked(search, goal, evaluations)

    def begin(study: Study) -> _Confirmation:
        wanted = _Confirmation(study, goal, evaluations)
        wanted.write()  # so that `status` and the report see the aim
        return wanted

    return follow_up(search, begin, watch, Folder.locked_to_confirm)


def forecast_confirm(search: Search, goal: Goal = BEST, evaluations: int | None = None) -> Forecast:
    """Return what `run_confirm` would do; raises as it does."""
    _check_asked(search, goal, evaluations)
    return forecast(search, lambda study: _Confirmation(study, goal, evaluations))


def _check_asked(search: Search, goal: Goal, evaluations: int | None) -> None:
    """Refuse zero evaluations, and more seeds than a table has runs of each network.

    With more seeds, one of its runs would count twice.
    """
    check_value(evaluations, Size | None, "evaluations")
    most = _most_seeds(search)
    if most is not None and goal.seeds > most:
        raise OptionError(
            f"`seeds` must be at most {most}, as many runs as {search.table} has of every network, "
            f"but got {goal.seeds}."
        )


def usual_goal(search: Search) -> Goal:
    """Return the default goal: the best trials with three seeds, or as many as a table has.

    Raises `OptionError` for a table with a single run of some networks.
    """
    most = _most_seeds(search)
    if most == 1:
        raise OptionError(
            f"nothing can be confirmed on {search.table}: it has only one run of some networks."
        )
    return BEST if most is None else replace(BEST, seeds=min(BEST.seeds, most))


def _most_seeds(search: Search) -> int | None:
    """Return how many seeds the last rung has of every network, or None for any number."""
    most = search.assembly.bench.most_seeds
    return None if most is None else most(search.question.rungs[-1])


def _sentence_on(trial: Trial) -> str:
    """Return a sentence on a trial's newest confirmation."""
    score, mean = trial.confirmations[-1], trial.score
    name = next(iter(score.values), "score")
    title = BY_NAME[name].title if name in BY_NAME else name
    found = f"{title} {score.main:.4f}" if score.ok else f"failed: {score.failure}"
    seeds = counted(len(seed_scores(trial)), "seed")
    return f"trial {trial.number}: {found}, " + (
        f"mean {mean.main:.4f} of {seeds}" if mean else "no mean"
    )

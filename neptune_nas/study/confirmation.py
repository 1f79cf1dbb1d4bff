"""Confirmation: further seeds for the best trials, to see if they are as good as they look.

Selecting the best of many noisy scores also selects luck. `confirmations.json` stores the scores of
the same networks with other seeds, as they arrive. A trial's accuracy is then the mean over all of
them, which includes the score that it was selected for, so it stays a little too high.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from neptune_nas.errors import OptionError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.files.regular import is_there
from neptune_nas.files.rules import SEED_LIMIT, Count, Size, at_least
from neptune_nas.files.schema import check
from neptune_nas.metrics.score import Score
from neptune_nas.study.measured_file import read_measured, traced_json, write_measured
from neptune_nas.study.settings import Question
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial

_PLACES = 5  # default number of places of a ranking

_Confirmations = Mapping[str, tuple[Score, ...]]
"""Further scores by the key of their network."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The trials to confirm, with `seeds` good scores each: the front, or the `top` by a ranking.

    `seeds`: including the search's own. `by`: a ranking of `Study.ranking`; None is the whole
    Pareto front, except that with a single objective, whose front is one trial, it is accuracy.

    Raises `OptionError` for numbers that leave nothing to confirm.
    """

    seeds: Annotated[int, at_least(2), SEED_LIMIT] = 3
    by: str | None = None
    top: Size | None = None

    def __post_init__(self) -> None:
        check(self)
        if self.top is not None and self.by is None:
            raise OptionError("`top` counts the places of a ranking: give `by` too.")


@dataclass(frozen=True, slots=True)
class Aim:
    """The goal of the last confirmation, and the most evaluations that it may make.

    `most`: over all confirmations of the study, failed ones included; None for no limit.
    """

    goal: Goal
    most: Count | None = None


def goal_ranking(study: Study, goal: Goal) -> str | None:
    """Return the ranking whose first places the goal selects; None for the Pareto front."""
    is_single = len(study.settings.question.objectives) == 1
    return study.settings.question.main.name if goal.by is None and is_single else goal.by


def goal_trials(study: Study, goal: Goal) -> list[Trial]:
    """Return the trials that the goal selects at present; those of the front most accurate first.

    Raises `OptionError` for an unknown ranking and `StudyError` where nothing can be ranked.
    """
    if (by := goal_ranking(study, goal)) is not None:
        return [standing.trial for standing in study.ranking(by)[: goal.top or _PLACES]]
    best_first = study.ranking(study.settings.question.main.name)
    front = {trial.number for trial in study.pareto()}
    return [each.trial for each in best_first if each.trial.number in front]


def trials_to_confirm(study: Study, goal: Goal) -> list[Trial]:
    """Return the selected trials that lack scores, those with the fewest confirmations first."""
    question = study.settings.question
    lacking = [trial for trial in goal_trials(study, goal) if missing_seeds(question, trial, goal)]
    return sorted(lacking, key=lambda trial: len(trial.confirmations))


def missing_seeds(question: Question, trial: Trial, goal: Goal) -> list[int]:
    """Return the seeds, in their order, for which a trial lacks a good score."""
    repeats = range(question.repeats, goal.seeds)
    wanted = [seed_for(question.seed, trial.key, repeat) for repeat in repeats]
    good = {score.seed for score in trial.confirmations if score.ok}
    return [seed for seed in wanted if seed not in good]


def with_confirmations(trials: Sequence[Trial], confirmations: _Confirmations) -> tuple[Trial, ...]:
    """Return the trials with their further scores."""
    return tuple(replace(t, confirmations=confirmations.get(t.key, ())) for t in trials)


def without_confirmations(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Return the trials without confirmations, to judge the search or compare it with another."""
    return tuple(replace(trial, confirmations=()) for trial in trials)


def with_confirmation(study: Study, number: int, score: Score) -> Study:
    """Return the study with one more score of a trial, which replaces one with the same seed."""
    return replace(
        study,
        trials=tuple(
            replace(t, confirmations=(*_other_confirmations(t, score), score))
            if t.number == number
            else t
            for t in study.trials
        ),
    )


def _other_confirmations(trial: Trial, score: Score) -> Iterator[Score]:
    """Yield the confirmations of a trial with other seeds than that of a score."""
    return (other for other in trial.confirmations if other.seed != score.seed)


def evaluations_of(trials: Iterable[Trial]) -> int:
    """Return the number of evaluations that confirmed these trials, failed ones included."""
    return sum(len(trial.confirmations) for trial in trials)


def write_confirmations(file: Path, trials: Sequence[Trial], aim: Aim) -> None:
    """Write `confirmations.json`."""
    goal = aim.goal
    said = {"seeds": goal.seeds, "by": goal.by, "top": goal.top, "most": aim.most}
    content = [
        {"number": t.number, "key": t.key, "scores": [*map(traced_json, t.confirmations)]}
        for t in trials
        if t.confirmations
    ]
    write_measured(file, {"aim": said, "trials": content})


@dataclass(frozen=True, slots=True)
class _Asked:
    """An aim in the form of the file."""

    seeds: int
    by: str | None
    top: int | None
    most: Count | None

    def __post_init__(self) -> None:
        Goal(self.seeds, self.by, self.top)  # refuses what leaves nothing to confirm

    @property
    def aim(self) -> Aim:
        """The goal and the limit of evaluations."""
        return Aim(Goal(self.seeds, self.by, self.top), self.most)


@dataclass(frozen=True, slots=True)
class _Confirmed:
    """The further scores of a trial."""

    number: Count
    key: str
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of a `confirmations.json`."""

    trials: tuple[_Confirmed, ...]
    aim: _Asked | None = None


def read_confirmations(file: Path) -> _Confirmations:
    """Return the further scores in a `confirmations.json`; none if there is no such file.

    Raises `FileFormatError` for a malformed file.
    """
    if not is_there(file):
        return {}
    return {each.key: each.scores for each in read_measured(file, _Content).trials}


def read_aim(file: Path) -> Aim | None:
    """Return the aim of the last confirmation in `file`; None where it states none.

    Raises `FileFormatError` as `read_confirmations` does.
    """
    asked = read_measured(file, _Content).aim if is_there(file) else None
    return asked.aim if asked else None


@dataclass(frozen=True, slots=True)
class ConfirmationProgress:
    """The progress of confirming: `done` of `total` scores exist; `unconfirmed` trials lack some.

    The total changes with the selection: a trial that moves up is to be confirmed in turn.
    Confirmation ends with the limit of evaluations, even if some trials still lack scores.
    """

    done: int
    total: int
    unconfirmed: int


def confirmation_progress(study: Study, aim: Aim) -> ConfirmationProgress:
    """Return the progress of a study towards an aim.

    Raises `OptionError` for an unknown ranking and `StudyError` where nothing can be ranked.
    """
    question, trials = study.settings.question, trials_to_confirm(study, aim.goal)
    left = sum(len(missing_seeds(question, trial, aim.goal)) for trial in trials)
    if aim.most is not None:
        left = min(left, max(0, aim.most - evaluations_of(study.trials)))
    done = sum(score.ok for trial in study.trials for score in trial.confirmations)
    return ConfirmationProgress(done, done + left, len(trials))

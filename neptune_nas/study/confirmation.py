"""Whether the best trials are as good as they look: their scores with further seeds.

Whoever picks the best of many noisy scores picks luck too. `confirmations.json` keeps what the same
networks score with other seeds, as it comes; a trial's accuracy is then the mean over all of them,
the score that it was chosen for included, so that it stays a little too high.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from neptune_nas.errors import OptionError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.files.rules import Count, Size, at_least
from neptune_nas.files.schema import check
from neptune_nas.metrics.score import Score
from neptune_nas.study.measured_file import read_measured, traced_json, write_measured
from neptune_nas.study.settings import Question
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial

PLACES = 5  # of a ranking, unless it is said

Confirmations = Mapping[str, tuple[Score, ...]]
"""Further scores by the key of their network."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be sure: `seeds` good scores of each trial of the front, or of the `top` by `by`.

    `seeds`: the search's own included. `by`: a ranking of `Study.ranking`; None is the Pareto
    front, and then all of it counts, but with a single objective, whose front is one trial, it is
    accuracy.

    Raises `OptionError` for numbers that leave nothing to confirm.
    """

    seeds: Annotated[int, at_least(2)] = 3
    by: str | None = None
    top: Size | None = None

    def __post_init__(self) -> None:
        check(self)
        if self.top is not None and self.by is None:
            raise OptionError("`top` counts the places of a ranking: give `by` too.")


@dataclass(frozen=True, slots=True)
class Aim:
    """What the last confirmation was asked for: a goal, and how many evaluations at most.

    `most`: over all confirmations of the study, failed ones too; None for as many as it takes.
    """

    goal: Goal
    most: Count | None = None


def ranked_by(study: Study, goal: Goal) -> str | None:
    """The ranking whose first places the goal names; None for the Pareto front."""
    is_single = len(study.settings.question.objectives) == 1
    return study.settings.question.main.name if goal.by is None and is_single else goal.by


def chosen(study: Study, goal: Goal) -> list[Trial]:
    """The trials that the goal names, as they stand now; of the front the most accurate first.

    Raises `OptionError` for an unknown ranking and `StudyError` where nothing can be ranked.
    """
    if (by := ranked_by(study, goal)) is not None:
        return [standing.trial for standing in study.ranking(by)[: goal.top or PLACES]]
    best_first = study.ranking(study.settings.question.main.name)
    front = {trial.number for trial in study.pareto()}
    return [each.trial for each in best_first if each.trial.number in front]


def unsure(study: Study, goal: Goal) -> list[Trial]:
    """Those of them that the goal still asks a score of, those with the fewest first."""
    question = study.settings.question
    lacking = [trial for trial in chosen(study, goal) if missing_seeds(question, trial, goal)]
    return sorted(lacking, key=lambda trial: len(trial.confirmations))


def missing_seeds(question: Question, trial: Trial, goal: Goal) -> list[int]:
    """The seeds, in their order, that a trial has no good score with but should have."""
    repeats = range(question.repeats, goal.seeds)
    wanted = [seed_for(question.seed, trial.key, repeat) for repeat in repeats]
    good = {score.seed for score in trial.confirmations if score.ok}
    return [seed for seed in wanted if seed not in good]


def confirmed(trials: Sequence[Trial], confirmations: Confirmations) -> tuple[Trial, ...]:
    """The trials with their further scores."""
    return tuple(replace(t, confirmations=confirmations.get(t.key, ())) for t in trials)


def as_searched(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """The trials as the search left them, to tell how it went or compare it with another."""
    return tuple(replace(trial, confirmations=()) for trial in trials)


def with_confirmation(study: Study, number: int, score: Score) -> Study:
    """The study with one more score of a trial, in the place of an earlier one with that seed."""
    return replace(
        study,
        trials=tuple(
            replace(t, confirmations=(*others(t, score), score)) if t.number == number else t
            for t in study.trials
        ),
    )


def others(trial: Trial, score: Score) -> Iterator[Score]:
    """The confirmations of a trial with another seed than a score's."""
    return (other for other in trial.confirmations if other.seed != score.seed)


def evaluations_of(trials: Iterable[Trial]) -> int:
    """How many evaluations confirmed these trials, failed ones too."""
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
    """An aim as it stands in the file."""

    seeds: int
    by: str | None
    top: int | None
    most: Count | None

    def __post_init__(self) -> None:
        Goal(self.seeds, self.by, self.top)  # refuses what leaves nothing to confirm

    @property
    def aim(self) -> Aim:
        """The same in two parts."""
        return Aim(Goal(self.seeds, self.by, self.top), self.most)


@dataclass(frozen=True, slots=True)
class _Confirmed:
    """The further scores of a trial."""

    number: Count
    key: str
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file holds."""

    trials: tuple[_Confirmed, ...]
    aim: _Asked | None = None


def read_confirmations(file: Path) -> Confirmations:
    """Return what a `confirmations.json` holds, if there is one.

    Raises `FileFormatError` for another file.
    """
    if not file.exists():
        return {}
    return {each.key: each.scores for each in read_measured(file, _Content).trials}


def read_aim(file: Path) -> Aim | None:
    """Return what the confirmation was asked for that wrote `file`; None where none says so.

    Raises `FileFormatError` as `read_confirmations` does.
    """
    asked = read_measured(file, _Content).aim if file.exists() else None
    return asked.aim if asked else None

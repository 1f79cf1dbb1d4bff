"""Progress of the confirmation of a study's best trials."""

from dataclasses import dataclass

from neptune_nas.study.confirmation import Aim, evaluations_of, missing_seeds, trials_to_confirm
from neptune_nas.study.study import Study


@dataclass(frozen=True, slots=True)
class Confirming:
    """Progress: `done` of `total` further scores exist, and `trials_to_confirm` trials lack some.

    The total changes with the selection: a trial that moves up is to be confirmed in turn.
    Confirmation ends with the limit of evaluations, even if some trials still lack scores.
    """

    done: int
    total: int
    unsure: int


def confirming(study: Study, aim: Aim) -> Confirming:
    """Return the progress of a study towards an aim.

    Raises `OptionError` for an unknown ranking and `StudyError` where nothing can be ranked.
    """
    question, trials = study.settings.question, trials_to_confirm(study, aim.goal)
    left = sum(len(missing_seeds(question, trial, aim.goal)) for trial in trials)
    if aim.most is not None:
        left = min(left, max(0, aim.most - evaluations_of(study.trials)))
    done = sum(score.ok for trial in study.trials for score in trial.confirmations)
    return Confirming(done, done + left, len(trials))

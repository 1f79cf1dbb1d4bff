"""How far it is with confirming the best trials of a study."""

from dataclasses import dataclass

from neptune_nas.study.confirmation import Aim, evaluations_of, missing_seeds, unsure
from neptune_nas.study.study import Study


@dataclass(frozen=True, slots=True)
class Confirming:
    """`done` of `total` further scores are in; `unsure` trials have fewer than they should.

    The total changes with who is among the best: one that comes up is to be scored again in turn.
    It ends with as many evaluations as were asked for at most, though some trials stay unsure.
    """

    done: int
    total: int
    unsure: int


def confirming(study: Study, aim: Aim) -> Confirming:
    """Where a study stands with what an aim asks for.

    Raises `OptionError` for an unknown ranking and `StudyError` where nothing can be ranked.
    """
    question, trials = study.settings.question, unsure(study, aim.goal)
    left = sum(len(missing_seeds(question, trial, aim.goal)) for trial in trials)
    if aim.most is not None:
        left = min(left, max(0, aim.most - evaluations_of(study.trials)))
    done = sum(score.ok for trial in study.trials for score in trial.confirmations)
    return Confirming(done, done + left, len(trials))

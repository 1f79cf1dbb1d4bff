"""Pareto fronts of a study's trials, and the hypervolume that trials dominate."""

from collections.abc import Sequence
from operator import le

from neptune_nas.metrics.pareto import hypervolume, non_dominated
from neptune_nas.metrics.registry import COST
from neptune_nas.study.objectives import losses, value_of, values_of
from neptune_nas.study.settings import Question, Settings
from neptune_nas.study.trial import State, Trial

Losses = tuple[float, ...]
Front = list[tuple[Trial, Losses]]
"""Trials with their objectives as losses, of which none dominates or equals another."""


def ranked_trials(question: Question, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Return the finished trials that were scored at the last rung."""
    last = question.rungs[-1]
    return tuple(
        t
        for t in trials
        if t.state is State.FINISHED and t.score is not None and t.score.fidelity == last
    )


def losses_of(question: Question, trial: Trial) -> Losses:
    """Return the trial's objectives, turned so that less is better."""
    aims = question.aims
    return losses(aims, values_of(aims, trial))


def non_dominated_trials(question: Question, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that no other of them dominates, in the given order."""
    if not trials:
        return []
    keep = non_dominated([losses_of(question, trial) for trial in trials])
    return [trial for trial, kept in zip(trials, keep, strict=True) if kept]


def pareto_front(question: Question, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Return the trials that no other of them dominates, least FLOPs first."""
    return tuple(
        sorted(non_dominated_trials(question, trials), key=lambda trial: value_of(COST, trial))
    )


def insert_into_front(front: Front, new: tuple[Trial, Losses]) -> Front:
    """Return the front with a trial added; the same list if a trial on it is as good or better."""
    if any(all(map(le, losses, new[1])) for _, losses in front):
        return front
    return [old for old in front if not all(map(le, new[1], old[1]))] + [new]


def dominated_share(settings: Settings, trials: Sequence[Trial]) -> float:
    """Return the share of the box under the study's reference point that trials dominate, 0..1.

    The box extends from the reference to the best value of each objective: share 1, cost 0.
    """
    return hypervolume(*scaled_losses(settings, trials))


def contributions(
    settings: Settings, ranked: Sequence[Trial], trials: Sequence[Trial]
) -> list[float]:
    """Return the share of the reference box that each of `trials` alone dominates.

    It is 0 off the front. If a trial of the front were missing, only others of the front and of the
    front behind it could take its place.
    """
    front = pareto_front(settings.question, ranked)
    on_front = {trial.number for trial in front}
    rest = [trial for trial in ranked if trial.number not in on_front]
    behind = non_dominated_trials(settings.question, rest)
    whole = dominated_share(settings, front)
    alone = {
        trial.number: whole
        - dominated_share(settings, [t for t in front if t is not trial] + behind)
        for trial in front
    }
    return [alone.get(trial.number, 0.0) for trial in trials]


def scaled_losses(
    settings: Settings, trials: Sequence[Trial]
) -> tuple[list[list[float]], list[float]]:
    """Return the trials' losses and the reference point, scaled to a box of volume 1."""
    aims, corner = settings.question.aims, settings.facts.reference
    scale = [abs(c - aim.best) for aim, c in zip(aims, corner, strict=True)]
    points = [losses_of(settings.question, trial) for trial in trials]
    return (
        [[value / s for value, s in zip(point, scale, strict=True)] for point in points],
        [value / s for value, s in zip(losses(aims, corner), scale, strict=True)],
    )

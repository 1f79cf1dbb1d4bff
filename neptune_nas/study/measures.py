"""Measures of a single trial: main score, efficiency, score per GFLOP."""

from math import isfinite, nan

from neptune_nas.metrics.registry import COST, Metric
from neptune_nas.study.objectives import value_of
from neptune_nas.study.settings import Question, Settings
from neptune_nas.study.trial import Trial

_GIGA = 1e9
_CLEARLY = 0.1


def main_score(trial: Trial) -> float:
    """Return the mean main score over seeds at the highest fidelity; NaN without a score."""
    return trial.score.main if trial.score else nan


def score_of(metric: Metric, trial: Trial) -> float:
    """Return the mean of a scored metric over seeds at the highest fidelity; NaN without any."""
    value = value_of(metric, trial)
    return value if isfinite(value) else nan


def cost_axis(question: Question) -> Metric:
    """Return the cost that a study is about: its first cost objective, or else FLOPs."""
    return next((aim for aim in question.aims if not aim.is_scored), COST)


def chance(settings: Settings) -> float:
    """Return the main score of the best guess that ignores the images; 0 where it is not known."""
    return settings.facts.guess.get(settings.question.main.name, 0.0)


def beats_chance(settings: Settings, score: float) -> bool:
    """Return whether a main score is clearly above chance."""
    return is_above_chance(score, chance(settings))


def is_above_chance(score: float, guess: float) -> bool:
    """Return whether a score is clearly above that of the best guess.

    The score must exceed the guess by a tenth of it, or of what is left above it if that is less.
    """
    return score > guess + _CLEARLY * min(guess, 1 - guess)


def gain(settings: Settings, trial: Trial) -> float:
    """Return the main score minus chance."""
    return main_score(trial) - chance(settings)


def efficiency(settings: Settings, trial: Trial) -> float:
    """Return the main score above chance, per unit of the study's cost.

    The unit is a million FLOPs, parameters or the like, or 1 ms. NaN where the cost is not known,
    as for a table that does not state it.
    """
    cost = cost_axis(settings.question)
    spent, (amount, _) = value_of(cost, trial), cost.per
    return gain(settings, trial) / (spent / amount) if isfinite(spent) and spent else nan


def efficiency_unit(question: Question) -> str:
    """Return the unit that efficiency is stated per, as tables and formulas write it."""
    return cost_axis(question).per[1]


def score_per_gflop(trial: Trial) -> float:
    """Return the main score per billion FLOPs; NaN where these are not known."""
    flops = value_of(COST, trial)
    return main_score(trial) / (flops / _GIGA) if isfinite(flops) and flops else nan

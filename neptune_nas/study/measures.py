"""What one trial is worth, number by number."""

from math import isfinite

from neptune_nas.metrics.trial import Trial
from neptune_nas.study.objectives import EXACT, value_of
from neptune_nas.study.settings import Question, Settings

MEGA, GIGA = 1e6, 1e9
COSTS = (*EXACT, "latency")

UNITS = {
    "flops": "MFLOPs",
    "macs": "MFLOPs",
    "params": "Mparams",
    "activations": "Mactivations",
    "latency": "ms",
}
"""What efficiency is for each of, by the cost that a study is about."""


def accuracy(trial: Trial) -> float:
    """The mean accuracy over seeds at the highest fidelity reached, 0..1; NaN without a score."""
    return trial.score.accuracy if trial.score else float("nan")


def loss(trial: Trial) -> float:
    """The mean loss over seeds at the highest fidelity reached; NaN where none was measured."""
    return trial.score.loss if trial.score and isfinite(trial.score.loss) else float("nan")


def cost_of(trial: Trial, name: str) -> float:
    """A trial's cost of one kind; infinite if it was not measured."""
    return value_of(name, trial.cost, trial.score, trial.latency)


def cost_axis(question: Question) -> str:
    """The cost that a study is about: the first cost objective, or FLOPs."""
    return next((name for name in question.objectives if name in COSTS), "flops")


def efficiency(settings: Settings, trial: Trial) -> float:
    """Accuracy above the study's chance, 0..1, for each unit of the cost that it is about.

    That is a million FLOPs (also where it is about MACs), parameters or activations, or a ms. NaN
    where the cost is not known, as of a table that does not say it.
    """
    gained, name = accuracy(trial) - settings.facts.chance, cost_axis(settings.question)
    if name == "latency":
        return gained / trial.latency if trial.latency else float("nan")
    spent = trial.cost.flops if name == "macs" else cost_of(trial, name)
    return gained / (spent / MEGA) if spent else float("nan")


def efficiency_unit(question: Question) -> str:
    """What efficiency is for each of, as tables and formulas write it."""
    return UNITS[cost_axis(question)]


def accuracy_per_gflop(trial: Trial) -> float:
    """The raw ratio: accuracy, 0..1, for each billion FLOPs; NaN where these are not known."""
    return accuracy(trial) / (trial.cost.flops / GIGA) if trial.cost.flops else float("nan")

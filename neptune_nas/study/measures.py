"""What one trial is worth, number by number."""

from math import isfinite, log10

from neptune_nas.study.objectives import value_of
from neptune_nas.trial import Trial

MEGA, GIGA = 1e6, 1e9


def accuracy(trial: Trial) -> float:
    """The mean accuracy over seeds at the highest fidelity reached, 0..1; NaN without a score."""
    return trial.score.accuracy if trial.score else float("nan")


def loss(trial: Trial) -> float:
    """The mean loss over seeds at the highest fidelity reached; NaN where none was measured."""
    return trial.score.loss if trial.score and isfinite(trial.score.loss) else float("nan")


def cost_of(trial: Trial, name: str) -> float:
    """A trial's cost of one kind; infinite if it was not measured."""
    return value_of(name, trial.cost, trial.score, trial.latency)


def efficiency(trial: Trial, chance: float) -> float:
    """Accuracy above chance, 0..1, for each million FLOPs."""
    return (accuracy(trial) - chance) / (max(trial.cost.flops, 1) / MEGA)


def accuracy_per_gflop(trial: Trial) -> float:
    """The raw ratio: accuracy, 0..1, for each billion FLOPs."""
    return accuracy(trial) / (max(trial.cost.flops, 1) / GIGA)


def netscore(trial: Trial) -> float:
    """NetScore, in decibels, with the paper's exponents 2, 1/2, 1/2 (Wong 2018, arXiv 1806.05512).

    Accuracy in percent, parameters in millions, MACs in billions.
    """
    percent = max(100 * accuracy(trial), 1e-9)
    size = max(trial.cost.params, 1) / MEGA
    macs = max(trial.cost.macs, 1) / GIGA
    return 20 * (2 * log10(percent) - 0.5 * log10(size) - 0.5 * log10(macs))

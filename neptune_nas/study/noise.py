"""What repeated seeds tell: means, intervals, and which trials are statistically tied."""

from dataclasses import dataclass, replace
from math import sqrt
from statistics import fmean

from scipy.special import stdtrit

from neptune_nas.trial import Trial

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Noise:
    """The spread of accuracy between seeds of one architecture, pooled over `trials` of them.

    `deviation`: standard deviation, 0..1. `degrees`: of freedom, one less than seeds a trial.
    """

    deviation: float
    degrees: int
    trials: int

    def half_width(self, count: float) -> float:
        """Half of Student's 95% interval around the mean of `count` seeds."""
        return float(stdtrit(self.degrees, (1 + CONFIDENCE) / 2)) * self.deviation / sqrt(count)


def accuracies(trial: Trial) -> tuple[float, ...]:
    """The trial's good accuracies at the highest fidelity reached, one a seed."""
    if trial.score is None:
        return ()
    return tuple(score.accuracy for score in trial.scores_at(trial.score.fidelity))


def noise(trials: tuple[Trial, ...]) -> Noise | None:
    """The pooled noise of the trials that were scored with several seeds; None if none was.

    Scores that a trial was chosen for and those that confirmed it are told apart: the former are
    high since it was chosen, and beside the latter they would look like noise.
    """
    repeated = [seeds for trial in trials for seeds in alike(trial) if len(seeds) > 1]
    degrees = sum(len(seeds) - 1 for seeds in repeated)
    if not degrees:
        return None
    squares = sum((a - fmean(seeds)) ** 2 for seeds in repeated for a in seeds)
    counted = sum(any(len(seeds) > 1 for seeds in alike(trial)) for trial in trials)
    return Noise(sqrt(squares / degrees), degrees, counted)


def alike(trial: Trial) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The accuracies of the search, and those that confirmed it."""
    searched = accuracies(replace(trial, confirmations=()))
    return searched, accuracies(trial)[len(searched) :]


def tied_groups(means: list[float], counts: list[int], spread: Noise) -> list[int]:
    """For each trial the group, from 1, whose best mean its own cannot be told from.

    The best opens group 1; all whose mean lies within the 95% interval of the difference join it;
    the best of the others opens group 2, and so on. Selection makes a group's best look better
    than it is, so a tie is more likely than the groups say.
    """
    groups = [0] * len(means)
    group = leader = -1
    for i in sorted(range(len(means)), key=lambda i: -means[i]):
        if leader >= 0:
            both = 1 / (1 / counts[i] + 1 / counts[leader])
        if leader < 0 or means[leader] - means[i] > spread.half_width(both):
            leader, group = i, group + 1
        groups[i] = group + 1
    return groups

"""What repeated seeds tell: means, intervals, and which trials are statistically tied.

How far the accuracy of a network moves between seeds depends on how accurate it is. So the variance
is a step function of the accuracy: that of the nearest repeated networks, pooled (a local average
of squared residuals: Müller and Stadtmüller 1987, Annals of Statistics 15, 610).
"""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, sqrt
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import stdtrit

from neptune_nas.study.measures import main_score
from neptune_nas.study.trial import Trial

CONFIDENCE = 0.95
SHARE = 4  # one in so many repeated networks is near
LEAST = 6  # degrees of freedom: with fewer, an interval is wide for want of knowledge


class Repeats(NamedTuple):
    """What the seeds of one network tell: their mean, the squares around it, what these weigh."""

    accuracy: float
    squares: float
    degrees: int


@dataclass(frozen=True, slots=True)
class Noise:
    """The spread between seeds of one architecture, by its accuracy, from `trials` of them.

    Each of `variances` is pooled over the `nearest` trials in accuracy, with its `degrees` of
    freedom, one less than seeds a trial; `cuts`: the accuracies, 0..1, where one gives way to the
    next.
    """

    trials: int
    nearest: int
    variances: tuple[float, ...]
    degrees: tuple[int, ...]
    cuts: tuple[float, ...] = ()

    def deviation(self, accuracy: float) -> float:
        """The standard deviation between seeds around an accuracy, both 0..1."""
        return sqrt(self.variances[bisect(self.cuts, accuracy)])

    def half_width(self, *means: tuple[float, int]) -> float:
        """Half of Student's 95% interval around a mean, or the difference of two.

        `means`: each an accuracy and its number of seeds. Of two, each has its own variance, as
        Welch has it (doi 10.1093/biomet/34.1-2.28), but both may rest on the same networks: so the
        fewer degrees of freedom count, not those of both.
        """
        places = [bisect(self.cuts, accuracy) for accuracy, _ in means]
        pairs = zip(places, means, strict=True)
        variance = sum(self.variances[place] / count for place, (_, count) in pairs)
        degrees = min(self.degrees[place] for place in places)
        return float(stdtrit(degrees, (1 + CONFIDENCE) / 2)) * sqrt(variance)


def seed_scores(trial: Trial) -> tuple[float, ...]:
    """The trial's good accuracies at the highest fidelity reached, one a seed."""
    if trial.score is None:
        return ()
    return tuple(score.main for score in trial.scores_at(trial.score.fidelity))


def noise(trials: Sequence[Trial]) -> Noise | None:
    """The noise that the trials with several seeds tell of; None if there is none of them."""
    return noise_of([found for trial in trials if (found := repeats(trial)).degrees])


def noise_of(repeated: Sequence[Repeats]) -> Noise | None:
    """The noise between seeds by accuracy: that of the nearest quarter of the trials.

    Of more where these would hold fewer than 6 degrees of freedom on average; None without any.
    """
    count, total = len(repeated), sum(each.degrees for each in repeated)
    if not total:
        return None
    nearest = min(count, max(ceil(count / SHARE), ceil(count * LEAST / total)))
    means, squares, weights = np.array(sorted(repeated)).T
    degrees = sliding_window_view(weights, nearest).sum(axis=1)
    return Noise(
        trials=count,
        nearest=nearest,
        variances=tuple((sliding_window_view(squares, nearest).sum(axis=1) / degrees).tolist()),
        degrees=tuple(map(int, degrees)),
        cuts=tuple(((means[:-nearest] + means[nearest:]) / 2).tolist()),
    )


def repeats(trial: Trial) -> Repeats:
    """What a trial's seeds tell; no degrees of freedom where none was repeated.

    Scores that a trial was chosen for and those that confirmed it are told apart: the former are
    high since it was chosen, and beside the latter they would look like noise.
    """
    groups = [seeds for seeds in alike(trial) if seeds]
    squares = sum((a - fmean(seeds)) ** 2 for seeds in groups for a in seeds)
    return Repeats(main_score(trial), squares, sum(len(seeds) - 1 for seeds in groups))


def alike(trial: Trial) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The accuracies of the search, and those that confirmed it."""
    searched = seed_scores(replace(trial, confirmations=()))
    return searched, seed_scores(trial)[len(searched) :]


def half_width(trial: Trial, spread: Noise | None) -> float | None:
    """Half of the 95% interval of a trial's accuracy; None where its seeds were not repeated."""
    count = len(seed_scores(trial))
    return spread.half_width((main_score(trial), count)) if spread and count > 1 else None


def tied_groups(means: Sequence[float], counts: Sequence[int], spread: Noise) -> list[int]:
    """For each trial the group, from 1, whose best mean its own cannot be told from.

    The best opens group 1, which goes on down to the first whose mean lies outside of the 95%
    interval of the difference; that one opens group 2, and so on. Selection makes a group's best
    look better than it is, so a tie is more likely than the groups say.
    """
    groups, group, leader = [0] * len(means), 0, (inf, 1)
    for i in sorted(range(len(means)), key=lambda i: -means[i]):
        mine = means[i], counts[i]
        if leader[0] - means[i] > spread.half_width(leader, mine):
            leader, group = mine, group + 1
        groups[i] = group
    return groups

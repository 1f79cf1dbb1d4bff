"""Noise between seeds: means, confidence intervals, and statistically tied trials.

The spread of a network's accuracy between seeds depends on the accuracy. So the variance is a step
function of the accuracy: that of the nearest repeated networks, pooled (a local average of squared
residuals: Müller and Stadtmüller 1987, Annals of Statistics 15, 610).
"""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, hypot, inf, sqrt
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import stdtrit

from neptune_nas.study.measures import main_score
from neptune_nas.study.settings import Settings
from neptune_nas.study.trial import Trial

_CONFIDENCE = 0.95
_SHARE = 4  # one in that many repeated networks counts as near
_LEAST = 6  # degrees of freedom: with fewer, intervals are wide for lack of data


class Repeats(NamedTuple):
    """The seed statistics of a network: mean, sum of squares around it, degrees of freedom."""

    accuracy: float
    squares: float
    degrees: int


@dataclass(frozen=True, slots=True)
class Noise:
    """The spread between seeds of one architecture as a function of accuracy, from `trials` trials.

    Each of `variances` is pooled over the `nearest` trials in accuracy, with its `degrees` of
    freedom: seeds minus one, summed over trials. `cuts`: the accuracies, 0..1, at which one
    variance gives way to the next.
    """

    trials: int
    nearest: int
    variances: tuple[float, ...]
    degrees: tuple[int, ...]
    cuts: tuple[float, ...] = ()

    def deviation(self, accuracy: float) -> float:
        """Return the standard deviation between seeds around an accuracy, both 0..1."""
        return sqrt(self.variances[bisect(self.cuts, accuracy)])

    def half_width(self, *means: tuple[float, int]) -> float:
        """Return half of Student's 95% interval of a mean, or of the difference of two.

        `means`: each an accuracy and its number of seeds. Each of two has its own variance, as in
        Welch's test (doi 10.1093/biomet/34.1-2.28). Both may be estimated from the same networks,
        so the smaller number of degrees of freedom is used, not a combination.
        """
        places = [bisect(self.cuts, accuracy) for accuracy, _ in means]
        pairs = zip(places, means, strict=True)
        variance = sum(self.variances[place] / count for place, (_, count) in pairs)
        degrees = min(self.degrees[place] for place in places)
        return float(stdtrit(degrees, (1 + _CONFIDENCE) / 2)) * sqrt(variance)


def seed_scores(trial: Trial) -> tuple[float, ...]:
    """Return the trial's good main scores at the highest fidelity reached, one per seed."""
    if trial.score is None:
        return ()
    return tuple(score.main for score in trial.scores_at(trial.score.fidelity))


def noise(trials: Sequence[Trial]) -> Noise | None:
    """Return the noise between seeds, or None if no trial has several."""
    return noise_of([found for trial in trials if (found := repeats(trial)).degrees])


def noise_of(repeated: Sequence[Repeats]) -> Noise | None:
    """Return the noise between seeds by accuracy, pooled over the nearest quarter of the trials.

    More are pooled where these have fewer than 6 degrees of freedom on average. None without any.
    """
    count, total = len(repeated), sum(each.degrees for each in repeated)
    if not total:
        return None
    nearest = min(count, max(ceil(count / _SHARE), ceil(count * _LEAST / total)))
    means, squares, weights = np.array(sorted(repeated)).T
    degrees = sliding_window_view(weights, nearest).sum(axis=1)
    return Noise(
        trials=count,
        nearest=nearest,
        variances=tuple((sliding_window_view(squares, nearest).sum(axis=1) / degrees).tolist()),
        degrees=tuple(map(int, degrees)),
        cuts=tuple(((means[:-nearest] + means[nearest:]) / 2).tolist()),
    )


def sampling_noise(settings: Settings, accuracy: float) -> Noise | None:
    """Return the noise of an accuracy, 0..1, from the number of validation images it rests on.

    This is the variance of a binomial share, with one more image of each kind, so that it is never
    0 (Agresti and Coull 1998, doi 10.1080/00031305.1998.10480550). None without images, and for a
    score that is not a share.
    """
    images = settings.facts.images[1]
    if not images or settings.question.main.unit != "share":
        return None
    share = (accuracy * images + 1) / (images + 2)
    return Noise(0, 0, (share * (1 - share) / images,), (images,))


def repeats(trial: Trial) -> Repeats:
    """Return the seed statistics of a trial; no degrees of freedom where no seed was repeated.

    Scores that a trial was selected for and those that confirmed it are kept apart: the former are
    high because of the selection, and their difference from the latter would look like noise.
    """
    groups = [seeds for seeds in _scores_by_phase(trial) if seeds]
    squares = sum((a - fmean(seeds)) ** 2 for seeds in groups for a in seeds)
    return Repeats(main_score(trial), squares, sum(len(seeds) - 1 for seeds in groups))


def _scores_by_phase(trial: Trial) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the accuracies of the search, and those of confirmations."""
    found = seed_scores(trial)
    if not trial.confirmations:
        return found, ()
    searched = seed_scores(replace(trial, confirmations=()))
    return searched, found[len(searched) :]


def half_width(trial: Trial, spread: Noise | None) -> float | None:
    """Return half of the 95% interval of a trial's accuracy; None without repeated seeds."""
    count = len(seed_scores(trial))
    return spread.half_width((main_score(trial), count)) if spread and count > 1 else None


def accuracy_interval(
    settings: Settings, trial: Trial, spread: Noise | None
) -> tuple[float, float] | None:
    """Return the 95% interval of a trial's accuracy on new images, both ends in 0..1.

    It covers the noise between seeds, where some were repeated, and that of so few validation
    images; None where neither is known. On the images and seeds that it was selected by, a trial
    looks better than it is.
    """
    sampling = sampling_noise(settings, main_score(trial))
    halves = (
        half_width(trial, spread) or 0.0,
        sampling.half_width((main_score(trial), 1)) if sampling else 0.0,
    )
    if not any(halves):
        return None
    half = hypot(*halves)
    return max(main_score(trial) - half, 0.0), min(main_score(trial) + half, 1.0)


def interval(trial: Trial, spread: Noise | None) -> tuple[float, float] | None:
    """Return the 95% interval of a trial's main score, within 0..1; None without repeated seeds."""
    half = half_width(trial, spread)
    score = main_score(trial)
    return None if half is None else (max(score - half, 0.0), min(score + half, 1.0))


def tied_groups(means: Sequence[float], counts: Sequence[int], spread: Noise) -> list[int]:
    """Return for each trial its group, from 1, of trials statistically tied with the group's best.

    The best opens group 1, which extends down to the first whose mean lies outside the 95% interval
    of the difference; that one opens group 2, and so on. Selection makes a group's best look better
    than it is, so a tie is more likely than the groups suggest.
    """
    groups, group, leader = [0] * len(means), 0, (inf, 1)
    for i in sorted(range(len(means)), key=lambda i: -means[i]):
        mine = means[i], counts[i]
        if leader[0] - means[i] > spread.half_width(leader, mine):
            leader, group = mine, group + 1
        groups[i] = group
    return groups

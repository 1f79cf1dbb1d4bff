"""The targets of a surrogate: one number per trial, and its uncertainty beyond the noise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isinf
from typing import Generic, TypeVar

import numpy as np
from optuna.trial import TrialState

from neptune_nas.samplers.features import Floats
from neptune_nas.samplers.history import PROXY_RUNG, History, PastTrial

T = TypeVar("T")

_PAIRS = 3  # trials known at both fidelities, from which a line can be fitted
_FENCE = 1.5  # Tukey's, in interquartile ranges
_DEAD = 0.1  # the lowest share of the range, left out of the quartiles
_FEW = 8  # the fewest values with meaningful quartiles
_LEAST = 1e-12
_CLIPPED = 0.1  # the share of values that count as one


@dataclass(frozen=True, slots=True)
class Warp:
    """A rising map from values to targets: the negative logarithm of the distance to `top`.

    `lowest`: lower values count as it. `top` may be infinite: then targets are the values. `width`:
    the distance to `top` whose target is 0.
    """

    lowest: float
    top: float = inf
    width: float = 1.0

    def __call__(self, values: Floats) -> Floats:
        """Return the targets of some values, which must be below `top`."""
        clipped = np.maximum(values, self.lowest)
        return clipped if isinf(self.top) else -np.log((self.top - clipped) / self.width)

    def noise(self, values: Floats, variances: Floats) -> Floats:
        """Return the variances of the targets of values with some variances, to first order."""
        if isinf(self.top):
            return variances
        scaled: Floats = variances / (self.top - np.maximum(values, self.lowest)) ** 2
        return scaled


def fence_warp(values: Floats) -> Warp:
    """Return the identity above Tukey's lower fence."""
    return Warp(max(values.min(), fence(values)) if len(values) else 0.0)


def clip_warp(values: Floats) -> Warp:
    """Return the identity above Tukey's lower fence and the tenth percentile."""
    lowest = fence_warp(values).lowest
    return Warp(max(lowest, float(np.quantile(values, _CLIPPED))) if len(values) else lowest)


def log_warp(values: Floats) -> Warp:
    """Return a logarithm that tells good from better, above Tukey's lower fence.

    The best of the values is midway between their median and the top.
    """
    lowest = fence_warp(values).lowest
    alive = values[values >= lowest]
    width = float(alive.max() - np.median(alive)) if len(alive) else 0.0
    return Warp(lowest, float(alive.max()) + width, width) if width > _LEAST else Warp(lowest)


@dataclass(frozen=True, slots=True)
class Targets(Generic[T]):
    """The trials to learn from, in the order of the history.

    `values` (n,): more is better, as `warp` maps what was measured. `noise` (n,): the variances of
    values that are only predicted.
    """

    entries: tuple[PastTrial[T], ...]
    values: Floats
    noise: Floats
    warp: Warp = Warp(-inf)


def targets(
    history: History[T],
    objective: int,
    *,
    alike: bool = True,
    warp_of: Callable[[Floats], Warp] = fence_warp,
) -> Targets[T]:
    """Return what is known of one objective: measurements, predictions from lower rungs, failures.

    A trial that reached only a lower rung counts as its predicted final score, with the uncertainty
    seen in trials that are known at both. A failed one counts as the worst. What was measured
    before training is known, even if the trial failed. `alike`: whether rungs report this
    objective. `warp_of`: returns the map of values to targets, from all that are known.
    """
    losses = {e.number: e.loss(objective) for e in history.entries}
    scores = {number: -loss for number, loss in losses.items() if loss is not None}
    known = {number: (score, 0.0) for number, score in scores.items()}
    waiting = [e for e in history.entries if e.number not in known and e.rungs and not failed(e)]
    if not history.finished:  # nothing yet relates a higher rung to a lower one
        waiting = [entry.at_first for entry in waiting]
    lines = {
        rung: _line_from(rung, history, scores, alike=alike and rung != PROXY_RUNG)
        for rung in {max(entry.rungs) for entry in waiting}
    }
    for entry in waiting:
        rung = max(entry.rungs)
        if (line := lines[rung]) is not None:
            known[entry.number] = line.at(entry.rungs[rung])
    raw = np.array([value for value, _ in known.values()])
    warp = warp_of(raw)
    lost = (warp.lowest, float(np.maximum(raw, warp.lowest).var()) if len(raw) else 0.0)
    worst = [e.number for e in history.entries if failed(e) and e.number not in scores]
    known |= dict.fromkeys(worst if known else (), lost)
    entries = tuple(entry for entry in history.entries if entry.number in known)
    values, noise = np.array([known[entry.number] for entry in entries]).reshape(-1, 2).T
    return Targets(entries, warp(values), warp.noise(values, noise), warp)


def margins(history: History[T], constraint: str) -> Targets[T]:
    """Return the slack of each trial under a measured constraint; below 0 it is broken."""
    entries = tuple(entry for entry in history.finished if constraint in entry.constraints)
    values = np.array([-entry.constraints[constraint] for entry in entries])
    return Targets(entries, values, np.zeros(len(values)))


def failed(entry: PastTrial[T]) -> bool:
    """Return whether a trial ended without a valid score."""
    return entry.state == TrialState.FAIL


@dataclass(frozen=True, slots=True)
class _RungLine:
    """A line that predicts final scores from a lower rung: `high` at `low`, with slope `slope`.

    `variance`: of its residuals. `count`: the number of trials it was fitted to, whose lower scores
    have the variance `spread`; 0 for a line that was not fitted.
    """

    low: float
    high: float
    slope: float = 1.0
    variance: float = 0.0
    count: int = 0
    spread: float = _LEAST

    def at(self, value: float) -> tuple[float, float]:
        """Return the score that a value predicts, and its variance."""
        ahead = value - self.low
        unsure = (1 + ahead**2 / self.spread) / self.count if self.count else 0.0
        return self.high + self.slope * ahead, self.variance * (1 + unsure)


def _line_from(
    rung: int, history: History[T], scores: Mapping[int, float], *, alike: bool
) -> _RungLine | None:
    """Return the line from a rung's scores to final scores; `alike`: both are the same metric.

    Before any trial has finished, the line is the identity; then the shrunk least-squares line. For
    another metric, such as a proxy's, there is no line before, and with few trials it is the mean.
    """
    if not history.finished:
        return _RungLine(0.0, 0.0) if alike else None
    pairs = [(e.rungs[rung], scores[e.number]) for e in history.finished if rung in e.rungs]
    low, high = np.array(pairs).reshape(-1, 2).T
    if not pairs or (not alike and len(pairs) < _PAIRS):
        known = np.array(list(scores.values()))
        return _RungLine(0.0, float(known.mean()), 0.0, float(known.var()))
    if not alike:
        return _fit_line(low, high, 0.0, float(low.var()))
    everyone = float(np.var([e.rungs[rung] for e in history.entries if rung in e.rungs]))
    return _fit_line(low, high, 1.0, everyone)


def _fit_line(low: Floats, high: Floats, slope: float, doubt: float) -> _RungLine:
    """Return the least-squares line, shrunk towards a prior `slope` by one pseudo-observation.

    `doubt` is the variance of that pseudo-observation's lower score: trials that were promoted are
    the best and much alike, so that few of them say little about the slope. A prior slope of 1 also
    adds that much variance to the residuals, and the slope never becomes negative.
    """
    count, spread = len(low), float(low.var())
    ahead = low - low.mean()
    wide = count * spread + doubt + _LEAST
    found = float((ahead * (high - high.mean())).sum() + slope * doubt) / wide
    found = max(found, 0.0) if slope else found
    missed = float(((high - high.mean() - found * ahead) ** 2).sum()) + slope * doubt
    variance = missed / max(count - 2 + slope, 1)
    return _RungLine(float(low.mean()), float(high.mean()), found, variance, count, wide / count)


def fence(values: Floats) -> float:
    """Return Tukey's lower fence: values below it are outliers, and how low they are is ignored.

    Networks stuck at chance may be many, so the lowest tenth of the range is excluded from the
    quartiles.
    """
    alive = values[values >= values.min() + _DEAD * np.ptp(values)]
    if len(alive) < _FEW:
        return float(values.min())
    first, third = np.percentile(alive, [25, 75])
    return float(first - _FENCE * (third - first))

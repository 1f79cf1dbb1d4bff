"""The targets of a surrogate: one number per trial, and its uncertainty beyond the noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from optuna.trial import TrialState

from neptune_nas.samplers.features import Floats
from neptune_nas.samplers.history import PROXY_RUNG, Entry, History

T = TypeVar("T")

PAIRS = 3  # trials known at both fidelities, from which a line can be fitted
FENCE = 1.5  # Tukey's, in interquartile ranges
DEAD = 0.1  # the lowest share of the range, left out of the quartiles
FEW = 8  # the fewest values with meaningful quartiles
LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Targets(Generic[T]):
    """The trials to learn from, in the order of the history.

    `values` (n,): more is better, outliers at the low end clipped. `noise` (n,): the variances of
    values that are only predicted.
    """

    entries: tuple[Entry[T], ...]
    values: Floats
    noise: Floats


def targets(history: History[T], objective: int, *, alike: bool = True) -> Targets[T]:
    """Return what is known of one objective: measurements, predictions from lower rungs, failures.

    A trial that reached only a lower rung counts as its predicted final score, with the uncertainty
    seen in trials that are known at both. A failed one counts as the worst. What was measured
    before training is known, even if the trial failed. `alike`: whether rungs report this
    objective.
    """
    losses = {e.number: e.loss(objective) for e in history.entries}
    scores = {number: -loss for number, loss in losses.items() if loss is not None}
    known = {number: (score, 0.0) for number, score in scores.items()}
    waiting = [e for e in history.entries if e.number not in known and e.rungs and not failed(e)]
    if not history.finished:  # nothing yet relates a higher rung to a lower one
        waiting = [entry.at_first for entry in waiting]
    lines = {
        rung: line_from(rung, history, scores, alike=alike and rung != PROXY_RUNG)
        for rung in {max(entry.rungs) for entry in waiting}
    }
    for entry in waiting:
        rung = max(entry.rungs)
        if (line := lines[rung]) is not None:
            known[entry.number] = line.at(entry.rungs[rung])
    raw = np.array([value for value, _ in known.values()])
    lowest = max(raw.min(), fence(raw)) if len(raw) else 0.0
    lost = (lowest, float(np.maximum(raw, lowest).var()) if len(raw) else 0.0)
    worst = [e.number for e in history.entries if failed(e) and e.number not in scores]
    known |= dict.fromkeys(worst if known else (), lost)
    entries = tuple(entry for entry in history.entries if entry.number in known)
    values, noise = np.array([known[entry.number] for entry in entries]).reshape(-1, 2).T
    return Targets(entries, np.maximum(values, lowest), noise)


def margins(history: History[T], constraint: str) -> Targets[T]:
    """Return the slack of each trial under a measured constraint; below 0 it is broken."""
    entries = tuple(entry for entry in history.finished if constraint in entry.constraints)
    values = np.array([-entry.constraints[constraint] for entry in entries])
    return Targets(entries, values, np.zeros(len(values)))


def failed(entry: Entry[T]) -> bool:
    """Return whether a trial ended without a valid score."""
    return entry.state == TrialState.FAIL


@dataclass(frozen=True, slots=True)
class Line:
    """A line that predicts final scores from a lower rung: `high` at `low`, with slope `slope`.

    `variance`: of its residuals. `count`: the number of trials it was fitted to, whose lower scores
    have the variance `spread`; 0 for a line that was not fitted.
    """

    low: float
    high: float
    slope: float = 1.0
    variance: float = 0.0
    count: int = 0
    spread: float = LEAST

    def at(self, value: float) -> tuple[float, float]:
        """Return the score that a value predicts, and its variance."""
        ahead = value - self.low
        unsure = (1 + ahead**2 / self.spread) / self.count if self.count else 0.0
        return self.high + self.slope * ahead, self.variance * (1 + unsure)


def line_from(
    rung: int, history: History[T], scores: Mapping[int, float], *, alike: bool
) -> Line | None:
    """Return the line from a rung's scores to final scores; `alike`: both are the same metric.

    Before any trial has finished, the line is the identity; then the shrunk least-squares line. For
    another metric, such as a proxy's, there is no line before, and with few trials it is the mean.
    """
    if not history.finished:
        return Line(0.0, 0.0) if alike else None
    pairs = [(e.rungs[rung], scores[e.number]) for e in history.finished if rung in e.rungs]
    low, high = np.array(pairs).reshape(-1, 2).T
    if not pairs or (not alike and len(pairs) < PAIRS):
        known = np.array(list(scores.values()))
        return Line(0.0, float(known.mean()), 0.0, float(known.var()))
    if not alike:
        return fitted(low, high, 0.0, float(low.var()))
    everyone = float(np.var([e.rungs[rung] for e in history.entries if rung in e.rungs]))
    return fitted(low, high, 1.0, everyone)


def fitted(low: Floats, high: Floats, slope: float, doubt: float) -> Line:
    """Return the least-squares line, shrunk towards a prior `slope` by one pseudo-observation.

    `doubt` is the variance of that pseudo-observation's lower score: trials that were promoted are
    the best and much alike, so that few of them say little about the slope. A prior slope of 1 also
    adds that much variance to the residuals, and the slope never becomes negative.
    """
    count, spread = len(low), float(low.var())
    ahead = low - low.mean()
    wide = count * spread + doubt + LEAST
    found = float((ahead * (high - high.mean())).sum() + slope * doubt) / wide
    found = max(found, 0.0) if slope else found
    missed = float(((high - high.mean() - found * ahead) ** 2).sum()) + slope * doubt
    variance = missed / max(count - 2 + slope, 1)
    return Line(float(low.mean()), float(high.mean()), found, variance, count, wide / count)


def fence(values: Floats) -> float:
    """Return Tukey's lower fence: values below it are outliers, and how low they are is ignored.

    Networks stuck at chance may be many, so the lowest tenth of the range is excluded from the
    quartiles.
    """
    alive = values[values >= values.min() + DEAD * np.ptp(values)]
    if len(alive) < FEW:
        return float(values.min())
    first, third = np.percentile(alive, [25, 75])
    return float(first - FENCE * (third - first))

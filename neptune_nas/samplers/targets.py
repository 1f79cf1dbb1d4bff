"""What a surrogate learns from: one number a trial, and how uncertain it is beyond the noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from optuna.trial import TrialState

from neptune_nas.samplers.features import Floats
from neptune_nas.samplers.history import PROXY_RUNG, Entry, History

T = TypeVar("T")

PAIRS = 3  # trials known at both fidelities that a line can be drawn through
FENCE = 1.5  # Tukey's, in quartile distances
DEAD = 0.1  # the lowest tenth of the range is left out when quartiles are taken
FEW = 8  # values that quartiles can be taken of
LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Targets(Generic[T]):
    """Trials in the order of the history, with `values` (n,), more is better, disasters clipped,
    and `noise` (n,), the variance of what is only foretold.
    """

    entries: tuple[Entry[T], ...]
    values: Floats
    noise: Floats


def targets(history: History[T], objective: int, *, alike: bool = True) -> Targets[T]:
    """What is known of one objective: measurements, what lower rungs foretell, and failures.

    A trial that reached only a lower rung stands for the score that it foretells, as uncertain as
    the trials that are known at both make it. A failed one stands for the worst. What was
    measured before training is known, whatever became of the trial. `alike`: whether the objective
    is what rungs tell.
    """
    losses = {e.number: e.loss(objective) for e in history.entries}
    scores = {number: -loss for number, loss in losses.items() if loss is not None}
    known = {number: (score, 0.0) for number, score in scores.items()}
    waiting = [e for e in history.entries if e.number not in known and e.rungs and not failed(e)]
    if not history.finished:  # then nothing tells what a higher rung is worth beside a lower one
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
    """By how much each trial keeps a measured constraint; less than 0 is broken."""
    entries = tuple(entry for entry in history.finished if constraint in entry.constraints)
    values = np.array([-entry.constraints[constraint] for entry in entries])
    return Targets(entries, values, np.zeros(len(values)))


def failed(entry: Entry[T]) -> bool:
    """Whether a trial ended without a score that counts."""
    return entry.state == TrialState.FAIL


@dataclass(frozen=True, slots=True)
class Line:
    """What a lower rung foretells: `high` where it is `low`, and `slope` times as much beyond.

    `variance`: of what is missed by it. It is drawn through `count` trials whose lower scores have
    the variance `spread`; none for one that is taken as given.
    """

    low: float
    high: float
    slope: float = 1.0
    variance: float = 0.0
    count: int = 0
    spread: float = LEAST

    def at(self, value: float) -> tuple[float, float]:
        """The score that a value foretells, and its variance."""
        ahead = value - self.low
        unsure = (1 + ahead**2 / self.spread) / self.count if self.count else 0.0
        return self.high + self.slope * ahead, self.variance * (1 + unsure)


def line_from(
    rung: int, history: History[T], scores: Mapping[int, float], *, alike: bool
) -> Line | None:
    """The line from what a rung measured to the final scores; `alike`: whether both are the same.

    Before any trial has finished it is the rung itself; then the line of least squares, shrunk. Of
    what is not alike, such as a proxy, nothing is foretold before, and through few trials the mean.
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
    """The line of least squares through points and, as if it were one more, what is expected.

    That is the `slope` over a variance of `doubt`: those that went on are the best and much alike,
    so that few of them say little of the slope. A slope of 1 comes with that much doubt of the
    scores, too, and turns round for no points.
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
    """Tukey's lower fence: values below it are disasters, how bad does not matter.

    Networks stuck at chance may be many; the lowest tenth of the range has no say in the quartiles.
    """
    alive = values[values >= values.min() + DEAD * np.ptp(values)]
    if len(alive) < FEW:
        return float(values.min())
    first, third = np.percentile(alive, [25, 75])
    return float(first - FENCE * (third - first))

"""What a surrogate learns from: one number a trial, and how uncertain it is beyond the noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from optuna.trial import TrialState

from neptune_nas.samplers.features import Floats
from neptune_nas.samplers.history import Entry, History

T = TypeVar("T")

PROXY_RUNG = 0  # where a zero-cost proxy stands in place of an accuracy
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


def targets(history: History[T], objective: int) -> Targets[T]:
    """What is known of one objective: scores, what lower rungs foretell of them, and failures.

    A trial that reached only a lower rung stands for the score that it foretells, as uncertain as
    the trials that are known at both make it. A failed one stands for the worst.
    """
    scores = {e.number: -e.losses[objective] for e in history.finished if e.losses is not None}
    known = {number: (score, 0.0) for number, score in scores.items()}
    for entry in history.entries:
        if entry.number not in known and entry.rungs and not failed(entry):
            foretold = foretell(entry, history.finished, scores)
            known |= {} if foretold is None else {entry.number: foretold}
    raw = np.array([value for value, _ in known.values()])
    lowest = max(raw.min(), fence(raw)) if len(raw) else 0.0
    lost = (lowest, float(np.maximum(raw, lowest).var()) if len(raw) else 0.0)
    known |= {e.number: lost for e in history.entries if failed(e) and known}
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


def foretell(
    entry: Entry[T], finished: Sequence[Entry[T]], scores: Mapping[int, float]
) -> tuple[float, float] | None:
    """The score that a trial's highest rung foretells, and its variance.

    A line through the trials that are known at both, its slope shrunk towards 0 where they are
    few. Before any trial has finished, the rung itself, but for a proxy, which is no accuracy.
    """
    rung = max(entry.rungs)
    if not finished:
        return None if rung == PROXY_RUNG else (entry.rungs[rung], 0.0)
    pairs = [(e.rungs[rung], scores[e.number]) for e in finished if rung in e.rungs]
    if len(pairs) < PAIRS:
        known = np.array(list(scores.values()))
        return float(known.mean()), float(known.var())
    low, high = np.array(pairs).T
    spread = low.var() + LEAST
    slope = ((low - low.mean()) * (high - high.mean())).mean() / (spread * (1 + 1 / len(pairs)))
    missed = high - high.mean() - slope * (low - low.mean())
    variance = (missed**2).sum() / (len(pairs) - 2)
    ahead = entry.rungs[rung] - low.mean()
    inflated = variance * (1 + (1 + ahead**2 / spread) / len(pairs))
    return float(high.mean() + slope * ahead), float(inflated)


def fence(values: Floats) -> float:
    """Tukey's lower fence: values below it are disasters, how bad does not matter.

    Networks stuck at chance may be many; the lowest tenth of the range has no say in the quartiles.
    """
    alive = values[values >= values.min() + DEAD * np.ptp(values)]
    if len(alive) < FEW:
        return float(values.min())
    first, third = np.percentile(alive, [25, 75])
    return float(first - FENCE * (third - first))

"""The choice of trials for a model that cannot take all of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from neptune_nas.samplers.features import Floats
from neptune_nas.samplers.history import History, PastTrial, best
from neptune_nas.samplers.pool import Pool
from neptune_nas.samplers.targets import failed

T = TypeVar("T")

# The share of the best among the chosen trials. A search continues near the best, where the model
# must tell good from better; without the others it would overrate the rest of the space.
BEST = 0.5


def select_trials(history: History[T], most: int, leaders: Sequence[int] = ()) -> set[int]:
    """Return the numbers of at most `most` trials: the best, and others spread over the rest.

    The best are first those that finished, then the `leaders`: trial numbers ordered by standing at
    their first rung.
    """
    numbers = [entry.number for entry in history.entries]
    if len(numbers) <= most:
        return set(numbers)
    top = dict.fromkeys(entry.number for entry in best(history.finished, int(most * BEST)))
    top |= dict.fromkeys([n for n in leaders if n not in top][: int(most * BEST) - len(top)])
    rest = [number for number in numbers if number not in top]
    step = len(rest) / (most - len(top))
    return {*top, *(rest[int(i * step)] for i in range(most - len(top)))}


def leading_trials(history: History[T], pool: Pool[T], most: int) -> list[int]:
    """Return the numbers of at most `most` unfinished trials, the best at a first rung first."""
    waiting = [e for e in history.entries if e.losses is None and any(e.rungs) and not failed(e)]
    table = _first_rung_losses([entry.at_first for entry in waiting], history.turns, pool)
    stand_ins = [replace(e, losses=tuple(row)) for e, row in zip(waiting, table, strict=True)]
    return [entry.number for entry in best(stand_ins, most)]


def _first_rung_losses(
    entries: Sequence[PastTrial[T]], turns: Sequence[float], pool: Pool[T]
) -> Floats:
    """Return the losses (n, k) of trials at their first rung, for all objectives known there."""
    scores = [-entry.rungs[min(entry.rungs)] for entry in entries]
    known: list[Sequence[float] | Floats] = []
    _, costs = pool.tried(entries)
    exact = dict(zip(pool.exact, costs.T, strict=True))
    for i, (name, turn) in enumerate(zip(pool.problem.objectives, turns, strict=False)):
        if name in exact:
            known.append(turn * exact[name])
        elif name == pool.problem.scored:
            known.append(scores)
        elif all(i in entry.ahead for entry in entries):
            known.append([entry.ahead[i] for entry in entries])
    return np.array(known, dtype=np.float64).reshape(len(known), len(entries)).T

"""Promotion of trials to more epochs: asynchronous successive halving by non-dominated rank."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain

import numpy as np

from neptune_nas.errors import OptionError
from neptune_nas.metrics.pareto import hypervolume, ranks

Losses = Sequence[float]

Reduction = int | tuple[int, ...]

REDUCTION = 3
CAUTION = 2  # factor on reductions while more trials will come


class Phase(Enum):
    """The share of a search that is still to come.

    OPEN: it may end at any time, so the best are promoted at once. EARLY: more trials will begin.
    LATE: all have begun.
    """

    OPEN = auto()
    EARLY = auto()
    LATE = auto()


@dataclass(frozen=True, slots=True)
class Rungs:
    """The rising fidelities at which trials are compared; each promotes one in `reduction`.

    `reduction`: one number for all, or one for each rung but the last; equal ones are merged into
    one for all. Level 0, which can only be the first, stands for a zero-cost proxy.

    Li et al. 2020 (arXiv 1810.05934) promote by a single loss. Here a rung is sorted into
    non-dominated fronts first, so that a small network is never cut for being less accurate than a
    large one, and within a front by the hypervolume that a trial alone adds. Under a limit on an
    objective, every second place goes to the trial that is best in the scored objective (`lead`),
    since noise makes cheap networks dominate better ones that meet the limit anyway. The best of
    few trials is often not among the best of all, so while more trials will come, only one in
    `CAUTION` times as many is promoted. The others are promoted once all have begun, rung by rung
    from the lowest.
    """

    levels: tuple[int, ...]
    reduction: Reduction = REDUCTION

    def __post_init__(self) -> None:
        if not self.levels or self.levels[0] < 0 or list(self.levels) != sorted({*self.levels}):
            raise OptionError(
                f"rungs need rising, distinct numbers of epochs, as in 1,3,9, "
                f"but got {','.join(map(str, self.levels)) or 'none'}."
            )
        if self.levels[-1] == 0:
            raise OptionError("rungs must end with at least 1 epoch: 0 is a proxy, as in 0,1,3.")
        self._check_reduction()
        if isinstance(self.reduction, tuple) and len({*self.reduction}) < 2:
            object.__setattr__(self, "reduction", next(iter(self.reduction), REDUCTION))

    def _check_reduction(self) -> None:
        given = self.reduction if isinstance(self.reduction, tuple) else (self.reduction,)
        steps = len(self.levels) - 1
        if isinstance(self.reduction, tuple) and len(given) != steps:
            raise OptionError(
                f"rungs need one reduction for all, or one for each but the last: "
                f"{steps} for {','.join(map(str, self.levels))}, "
                f"but got {','.join(map(str, given)) or 'none'}."
            )
        if (least := min(given, default=REDUCTION)) < 2:
            raise OptionError(f"rungs need a reduction of at least 2, but got {least}.")

    @property
    def reductions(self) -> tuple[int, ...]:
        """The reduction of each rung but the last."""
        if isinstance(self.reduction, tuple):
            return self.reduction
        return (self.reduction,) * (len(self.levels) - 1)

    def promotable(
        self,
        scored: Mapping[int, Mapping[int, Losses]],
        promoted: Mapping[int, Collection[int]],
        waiting: Collection[int],
        phase: Phase = Phase.OPEN,
        *,
        lead: int | None = None,
        is_last_call: bool = False,
    ) -> tuple[int, int] | None:
        """Return the trial to promote and its next level, or None.

        Higher rungs come first, except in the phase LATE. `scored`: by level, the losses of each
        trial scored there. `promoted`: by level, the trials that went on from it. `waiting`: the
        trials that can go on. `lead`: see `best_first`. On the last call, when no further results
        are expected, each rung promotes at least one.
        """
        caution = CAUTION if phase is Phase.EARLY else 1
        steps = list(zip(self.levels, self.levels[1:], self.reductions, strict=False))
        for level, following, share in steps if phase is Phase.LATE else reversed(steps):
            losses = scored[level]
            quota = max(len(losses) // (share * caution), min(len(losses), int(is_last_call)))
            if quota > len(promoted[level]):
                best = best_first(losses, lead)[:quota]
                able = (n for n in best if n in waiting and n not in promoted[level])
                if (number := next(able, None)) is not None:
                    return number, following
        return None


def best_first(losses: Mapping[int, Losses], lead: int | None = None) -> list[int]:
    """Return trial numbers from the best to the worst.

    `lead`: the index of an objective; every second trial, from the first, is the best left in it.
    """
    ranked = _by_front(losses)
    if lead is None:
        return ranked
    leaders = sorted(ranked, key=lambda number: losses[number][lead])
    return list(dict.fromkeys(chain.from_iterable(zip(leaders, ranked, strict=True))))


def _by_front(losses: Mapping[int, Losses]) -> list[int]:
    """Return trial numbers by non-dominated front, then by the hypervolume each alone adds."""
    numbers = sorted(losses)
    points = np.array([losses[number] for number in numbers], dtype=np.float64)
    fronts = ranks(points)
    alone = np.zeros(len(points))
    for front in range(int(fronts.max()) + 1):
        members = np.flatnonzero(fronts == front)
        alone[members] = _exclusive_contributions(points[members], points)
    return [numbers[i] for i in np.lexsort((np.array(numbers), -alone, fronts))]


def _exclusive_contributions(front: np.ndarray, everything: np.ndarray) -> np.ndarray:
    """Return the hypervolume that each point of a front alone adds, objectives scaled to 0..1."""
    low, high = everything.min(axis=0), everything.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    scaled, corner = (front - low) / span, np.full(front.shape[1], 1.1)
    whole = hypervolume(scaled, corner)
    return np.array(
        [whole - hypervolume(np.delete(scaled, i, axis=0), corner) for i in range(len(scaled))]
    )

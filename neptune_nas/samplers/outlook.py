"""The expected gain of each candidate, given all trials so far."""

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from scipy.special import ndtr

from neptune_nas.samplers.features import Floats
from neptune_nas.samplers.gain import Front, expected_gain
from neptune_nas.samplers.history import History
from neptune_nas.samplers.pool import Candidates, Pool
from neptune_nas.samplers.surrogate import Fit, Surrogate, is_running
from neptune_nas.samplers.targets import Warp, fence_warp, margins, targets

T = TypeVar("T")

_Predict = Callable[[Surrogate[T], Fit], tuple[Floats, Floats]]


class Surrogates(Generic[T]):
    """A model for each measured objective and each measured constraint.

    `warp_of`: the map of the first measured objective; see `targets`.
    """

    def __init__(self, pool: Pool[T], warp_of: Callable[[Floats], Warp] = fence_warp) -> None:
        self.pool = pool
        names = pool.problem.objectives
        self.exact = [names.index(name) for name in pool.exact]
        measured = [i for i in range(len(names)) if i not in self.exact]
        self.objectives = {
            i: Surrogate(
                pool,
                partial(
                    targets,
                    objective=i,
                    alike=names[i] == pool.problem.scored,
                    warp_of=warp_of if i == measured[0] else fence_warp,
                ),
            )
            for i in measured
        }
        self.constraints: dict[str, Surrogate[T]] = {}

    def of_constraints(self, history: History[T]) -> dict[str, Surrogate[T]]:
        """Return the models of the constraints for which all finished trials have a value."""
        kept = [set(entry.constraints) for entry in history.finished]
        for name in sorted(set.intersection(*kept)) if kept else ():
            if name not in self.constraints:
                told = partial(margins, constraint=name)
                self.constraints[name] = Surrogate(self.pool, told)
        return self.constraints


class GainEstimate(Generic[T]):
    """The expected gain of candidates at one moment of a search.

    Only the first measured objective is uncertain, and its gain is one in targets of its model; the
    others count as their means, and measured constraints as the probability that they are met.
    """

    def __init__(self, surrogates: Surrogates[T], history: History[T]) -> None:
        self.pool, self.exact = surrogates.pool, surrogates.exact
        self.turns = np.array([history.turns[i] for i in self.exact])
        self.objectives = [(s, s.fit(history)) for s in surrogates.objectives.values()]
        self.further = list(surrogates.objectives)[1:]
        self.constraints = [
            (s, s.fit(history)) for s in surrogates.of_constraints(history).values()
        ]
        self.front = self._front(history, next(iter(surrogates.objectives)))

    def of_base(self) -> Floats:
        """Return the expected gain of each candidate of the pool's base."""
        return self._gains(self.pool.base, lambda surrogate, fit: surrogate.of_base(fit))

    def of(self, candidates: Candidates[T]) -> Floats:
        """Return the expected gain of each of some other candidates."""
        return self._gains(candidates, lambda _, fit: fit.at(candidates.points))

    def _gains(self, candidates: Candidates[T], predict: _Predict[T]) -> Floats:
        (mean, deviation), *further = [predict(*model) for model in self.objectives]
        columns = [candidates.costs * self.turns, *(-mean[:, None] for mean, _ in further)]
        gains = expected_gain(mean, deviation, np.hstack(columns), self.front)
        for model in self.constraints:
            margin, unsure = predict(*model)
            gains *= ndtr(margin / unsure)
        return gains

    def _front(self, history: History[T], primary: int) -> Front:
        """Return the results of trials that meet the constraints, running ones as predicted.

        A running trial's objectives that were measured before training count as measured.
        """
        fit = self.objectives[0][1]
        finished = [entry for entry in history.finished if not entry.violation]
        known = [entry.losses for entry in finished if entry.losses is not None]
        running = [entry for entry in history.entries if is_running(entry)]
        (_, costs), (ahead, their_costs) = map(self.pool.tried, (finished, running))
        believed, *others = [fit.at(ahead)[0] for _, fit in self.objectives]
        columns = [
            np.array(
                [entry.loss(i) for entry in finished]
                + [entry.ahead.get(i, -mean) for entry, mean in zip(running, means, strict=True)]
            )
            for i, means in zip(self.further, others, strict=True)
        ]
        exact = np.concatenate([costs, their_costs]) * self.turns
        table = np.column_stack([exact, *columns])
        scores = fit.warp(np.array([-losses[primary] for losses in known]))
        spread = [*(self.pool.base.costs * self.turns).T, *columns]
        corner = [*map(self._corner, (*self.exact, *self.further), spread)]
        return Front(np.concatenate([scores, believed]), table, fit.lowest, np.array(corner))

    def _corner(self, objective: int, losses: Floats) -> float:
        """Return where the hypervolume of an objective ends, given its losses so far.

        Under a limit that is as far beyond the highest loss as the lowest is below it, so that the
        best score counts as much as all savings do.
        """
        problem = self.pool.problem
        highest = losses.max(initial=-np.inf if objective in self.exact else 0.0)
        if problem.objectives[objective] in problem.limited and len(losses):
            highest += highest - losses.min()
        return float(highest)

"""The default strategy: it models only the score, since costs are known before training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Generic, TypeVar

import numpy as np
from scipy.linalg import LinAlgError

from neptune_nas.files.rules import Size
from neptune_nas.files.schema import check
from neptune_nas.samplers.classic import Evolution
from neptune_nas.samplers.features import Floats
from neptune_nas.samplers.gaussian import squared_distances
from neptune_nas.samplers.history import History
from neptune_nas.samplers.outlook import GainEstimate, Surrogates
from neptune_nas.samplers.pool import Candidates, Pool
from neptune_nas.samplers.problem import Problem, with_edits
from neptune_nas.samplers.surrogate import FIRST
from neptune_nas.samplers.targets import clip_warp, log_warp

T = TypeVar("T")

START = 12  # trials spread over the costs before a model is used
_SAMPLES = 1_000  # candidates of a space too large for all to be candidates
_RIVALS = 32  # candidates of a cost range, of which the farthest from all trials is next
CLIMBS, STEPS = 3, 5  # rounds of moves from a large space's best candidate; moves per round


@dataclass(frozen=True, eq=False)
class Auto(Generic[T]):
    """Bayesian search that models only what has to be measured.

    The first trials are spread over the costs. After that a Gaussian process predicts the score of
    every candidate, and the next trial is the candidate with the largest expected hypervolume gain
    at its known cost (the largest expected improvement, if accuracy is the only objective). No view
    of the scores serves every space, so each trial is drawn one of two: the scores above their
    tenth percentile, or the logarithm of their distance to what may be the best. Running trials
    count as if they ended as predicted; lower rungs count for what they predict of the final
    score.

    `start`: how many trials are spread over the costs. `samples`: candidates of a large space.
    """

    problem: Problem[T]
    start: Size = START
    samples: Size = _SAMPLES

    def __post_init__(self) -> None:
        check(self)

    @cached_property
    def pool(self) -> Pool[T]:
        """The candidates; limits on measured quantities are checked only for the best of them."""
        return Pool(self.problem.unmeasured, self.samples)

    @cached_property
    def views(self) -> tuple[Surrogates[T], ...]:
        """The models of the measured quantities, one set for each view of the scores."""
        return tuple(Surrogates(self.pool, warp_of) for warp_of in (clip_warp, log_warp))

    def __call__(self, history: History[T], rng: Random, /) -> T:
        """Return the most promising candidate; a mutant of a good one if no model can be fitted."""
        objectives = self.views[0].objectives
        by_rungs = all(surrogate.is_early(history) for surrogate in objectives.values())
        known = [
            entry
            for entry in history.entries
            if entry.losses or (any(entry.rungs) and (by_rungs or entry.state.is_finished()))
        ]
        if len(history.entries) < self.start or len(known) < FIRST or not objectives:
            return self.spread(history, rng)
        try:
            return self.promising(history, rng)
        except LinAlgError:
            return Evolution(self.problem)(history, rng)

    def spread(self, history: History[T], rng: Random) -> T:
        """Return a candidate of the next of `start` cost ranges, far from all earlier trials."""
        base, place = self.pool.base, len(history.entries) % self.start
        if not base.names:
            return self.problem.random(history.seen, rng)
        ranges = np.array_split(np.argsort(base.level, kind="stable"), self.start)
        order = Random(self.problem.seed).sample(range(self.start), self.start)
        rows = [i for i in ranges[order[place]] if base.names[i] not in history.seen]
        if not rows:
            return self.problem.random(history.seen, rng)
        rows = rng.sample(rows, min(_RIVALS, len(rows)))
        tried, _ = self.pool.tried(history.entries)
        apart = squared_distances(base.points.picks[rows], tried.picks).min(axis=1, initial=np.inf)
        farthest = (base.architectures[rows[i]] for i in np.argsort(-apart, kind="stable"))
        admitted = next(filter(self.problem.admits, farthest), None)
        return self.problem.random(history.seen, rng) if admitted is None else admitted

    def promising(self, history: History[T], rng: Random) -> T:
        """Return the candidate with the largest expected gain."""
        outlook = GainEstimate(rng.choice(self.views), history)
        near = self.pool.near(history)
        gains = np.concatenate([outlook.of_base(), outlook.of(near)])
        found = self._best([self.pool.base, near], gains, history)
        if found is None:
            return self.problem.random(history.seen, rng)
        if self.pool.is_whole:
            return found[0]
        return self._climbed(found, outlook, history, rng)

    def _climbed(
        self, start: tuple[T, float], outlook: GainEstimate[T], history: History[T], rng: Random
    ) -> T:
        """Return the best candidate that a few rounds of moves from `start` find."""
        best, gain = start
        for _ in range(CLIMBS):
            moves = [with_edits(self.problem, best, 1, rng) for _ in range(STEPS)]
            candidates = self.pool.candidates(self.pool.admitted(moves))
            found = self._best([candidates], outlook.of(candidates), history, gain)
            if found is not None:
                best, gain = found
        return best

    def _best(
        self,
        sets: Sequence[Candidates[T]],
        gains: Floats,
        history: History[T],
        least: float = -np.inf,
    ) -> tuple[T, float] | None:
        """Return the unseen candidate with the largest gain above `least`, and that gain."""
        names = [name for candidates in sets for name in candidates.names]
        fresh = np.array([name not in history.seen for name in names], dtype=bool)
        left = np.where(fresh, gains, -np.inf)
        architectures = [a for candidates in sets for a in candidates.architectures]
        while len(left) and left[i := int(left.argmax())] > least:
            if self.problem.admits(architectures[i]):
                return architectures[i], float(gains[i])
            left[i] = -np.inf
        return None

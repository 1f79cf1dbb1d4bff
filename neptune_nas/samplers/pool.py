"""The candidates that a model-based search chooses from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from random import Random
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from neptune_nas.samplers.features import Encoder, Floats, Points, join_points
from neptune_nas.samplers.history import History, PastTrial, best
from neptune_nas.samplers.problem import LISTED, Problem, with_edits

T = TypeVar("T")

_DRAWS = 2  # the most draws per sample of a larger space; walks find the rest
_APART = 1  # moves between two samples of a walk
ELITE = 12  # trials to vary for more candidates
_MOVES = 8  # variations of each


@dataclass(frozen=True, slots=True)
class Candidates(Generic[T]):
    """Architectures with their names, features, and exact costs (n, k) among the objectives."""

    architectures: Sequence[T]
    names: Sequence[str]
    points: Points
    costs: Floats

    @property
    def level(self) -> Floats:
        """The cost level of each (n,): the mean of its standardised logarithmic costs."""
        logs = self.points.logs
        return logs.mean(axis=1) if logs.shape[1] else np.zeros(len(logs))

    def __add__(self, other: "Candidates[T]") -> "Candidates[T]":
        return Candidates(
            [*self.architectures, *other.architectures],
            [*self.names, *other.names],
            join_points([self.points, other.points]),
            np.concatenate([self.costs, other.costs]),
        )


class Pool(Generic[T]):
    """All points of a small space; for a large one, samples and variations of the best trials.

    `exact`: the objectives that are known before training. `samples`: how many for a large space.
    """

    def __init__(self, problem: Problem[T], samples: int) -> None:
        self.problem, self.samples = problem, samples
        self.known: dict[str, Candidates[T]] = {}
        self.is_whole = problem.space.is_exact and problem.space.size <= LISTED
        one = problem.random({}, Random(problem.seed))
        reference = (problem.points if self.is_whole else None) or {
            problem.name(one): one,
            **self._sampled(one),
        }
        costs = problem.costs(one)
        self.exact = tuple(name for name in problem.objectives if name in costs)
        self.encoder = Encoder(problem, list(reference.values()))
        self.base = self._candidates(reference, self.encoder.reference)

    @property
    def groups(self) -> NDArray[np.int64]:
        """The index of the weight of each column of `Points.picks`."""
        return self.encoder.groups

    def candidates(self, named: Mapping[str, T]) -> Candidates[T]:
        """Return these architectures as candidates."""
        return self._candidates(named, self.encoder(list(named.values())))

    def _candidates(self, named: Mapping[str, T], points: Points) -> Candidates[T]:
        architectures = list(named.values())
        costs = [[self.problem.costs(each)[name] for name in self.exact] for each in architectures]
        table = np.array(costs, dtype=np.float64).reshape(len(costs), len(self.exact))
        return Candidates(architectures, list(named), points, table)

    def tried(self, entries: Sequence[PastTrial[T]]) -> tuple[Points, Floats]:
        """Return features and exact costs of earlier trials; each is encoded once."""
        for entry in entries:
            if entry.name not in self.known:
                self.known[entry.name] = self.candidates({entry.name: entry.architecture})
        known = [self.known[entry.name] for entry in entries]
        empty = self.base.points[:0], self.base.costs[:0]
        return (
            join_points([empty[0], *(one.points for one in known)]),
            np.concatenate([empty[1], *(one.costs for one in known)]),
        )

    def near(self, history: History[T]) -> Candidates[T]:
        """Return mutants of the best trials and crossovers of them; none in a small space."""
        elite = [] if self.is_whole else best(history.finished, ELITE)
        moved = [self._moved(entry) for entry in elite]
        crossed = [self._crossed(*pair) for pair in pairwise(sorted(elite, key=_number))]
        return sum([*moved, *crossed], self.candidates({}))

    def _moved(self, entry: PastTrial[T]) -> Candidates[T]:
        name = f"{entry.name} moved"
        if name not in self.known:
            rng = Random(f"{self.problem.seed}/{name}")
            near = [with_edits(self.problem, entry.architecture, 1, rng) for _ in range(_MOVES)]
            self.known[name] = self.candidates(self.admitted(near))
        return self.known[name]

    def _crossed(self, one: PastTrial[T], other: PastTrial[T]) -> Candidates[T]:
        name = f"{one.name} {other.name}"
        if name not in self.known:
            rng, space = Random(f"{self.problem.seed}/{name}"), self.problem.space
            child = space.crossover(one.architecture, other.architecture, rng)
            self.known[name] = self.candidates(self.admitted([child]))
        return self.known[name]

    def admitted(self, architectures: Sequence[T]) -> dict[str, T]:
        """Return the architectures that may be trained, by name."""
        return {self.problem.name(a): a for a in architectures if self.problem.admits(a)}

    def _sampled(self, one: T) -> dict[str, T]:
        """Return feasible samples by name: half uniform over architectures, half over choices.

        Where draws find too few, walks among the feasible ones find more, starting from those drawn
        or else from `one`.
        """
        rng, problem = Random(f"{self.problem.seed}/pool"), self.problem
        drawn = (
            problem.space.sample(rng, by="choice" if i % 2 else "architecture")
            for i in range(self.samples * _DRAWS if problem.rare is None else 0)
        )
        found = list(islice(filter(problem.fits, drawn), self.samples))
        named = {problem.name(each): each for each in found}
        missing = self.samples - len(found)
        walks = cycle([problem.walk(start, rng, _APART) for start in found or [one]])
        for walk in islice(walks, 2 * missing):
            if len(named) >= self.samples:
                break
            each = next(walk)
            named[problem.name(each)] = each
        return named


def _number(entry: PastTrial[T]) -> int:
    return entry.number

"""The candidates that a model-based search chooses from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from random import Random
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from neptune_nas.samplers.classic import edited
from neptune_nas.samplers.features import Encoder, Floats, Points, joined
from neptune_nas.samplers.history import Entry, History, best
from neptune_nas.samplers.problem import Problem

T = TypeVar("T")

WHOLE = 20_000  # points up to which all of a space are candidates
DRAWS = 10  # for each sample of a larger one, at most, until it is feasible
ELITE = 12  # trials around which more candidates are sought
MOVES = 8  # around each


@dataclass(frozen=True, slots=True)
class Candidates(Generic[T]):
    """Architectures with their names, features, and exact costs (n, k) among the objectives."""

    architectures: Sequence[T]
    names: Sequence[str]
    points: Points
    costs: Floats

    @property
    def level(self) -> Floats:
        """How costly each is (n,): the mean of its standardised logarithmic costs."""
        logs = self.points.logs
        return logs.mean(axis=1) if logs.shape[1] else np.zeros(len(logs))

    def __add__(self, other: "Candidates[T]") -> "Candidates[T]":
        return Candidates(
            [*self.architectures, *other.architectures],
            [*self.names, *other.names],
            joined([self.points, other.points]),
            np.concatenate([self.costs, other.costs]),
        )


class Pool(Generic[T]):
    """All points of a small space; of a large one samples, and what is near the best trials.

    `exact`: the objectives that are known before training. `samples`: how many of a large space.
    """

    def __init__(self, problem: Problem[T], samples: int) -> None:
        self.problem, self.samples = problem, samples
        self.known: dict[str, Candidates[T]] = {}
        self.is_whole = problem.space.is_exact and problem.space.size <= WHOLE
        one = problem.random({}, Random(problem.seed))
        reference = (problem.points if self.is_whole else None) or {
            problem.name(one): one,
            **self._sampled(),
        }
        costs = problem.costs(one)
        self.exact = tuple(name for name in problem.objectives if name in costs)
        self.encoder = Encoder(problem, list(reference.values()))
        self.base = self.candidates(reference)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Which weight each column of `Points.picks` has."""
        return self.encoder.groups

    def candidates(self, named: Mapping[str, T]) -> Candidates[T]:
        """These architectures as candidates."""
        architectures = list(named.values())
        costs = [[self.problem.costs(each)[name] for name in self.exact] for each in architectures]
        table = np.array(costs, dtype=np.float64).reshape(len(costs), len(self.exact))
        return Candidates(architectures, list(named), self.encoder(architectures), table)

    def tried(self, entries: Sequence[Entry[T]]) -> tuple[Points, Floats]:
        """Features and exact costs of earlier trials, each encoded once."""
        for entry in entries:
            if entry.name not in self.known:
                self.known[entry.name] = self.candidates({entry.name: entry.architecture})
        known = [self.known[entry.name] for entry in entries]
        empty = self.base.points[:0], self.base.costs[:0]
        return (
            joined([empty[0], *(one.points for one in known)]),
            np.concatenate([empty[1], *(one.costs for one in known)]),
        )

    def near(self, history: History[T]) -> Candidates[T]:
        """Moves from the best trials and a child of each two in a row; none in a small space."""
        elite = [] if self.is_whole else best(history.finished, ELITE)
        moved = [self._moved(entry) for entry in elite]
        crossed = [self._crossed(*pair) for pair in pairwise(sorted(elite, key=_number))]
        return sum([*moved, *crossed], self.candidates({}))

    def _moved(self, entry: Entry[T]) -> Candidates[T]:
        name = f"{entry.name} moved"
        if name not in self.known:
            rng = Random(f"{self.problem.seed}/{name}")
            near = [edited(self.problem, entry.architecture, 1, rng) for _ in range(MOVES)]
            self.known[name] = self.candidates(self.admitted(near))
        return self.known[name]

    def _crossed(self, one: Entry[T], other: Entry[T]) -> Candidates[T]:
        name = f"{one.name} {other.name}"
        if name not in self.known:
            rng, space = Random(f"{self.problem.seed}/{name}"), self.problem.space
            child = space.crossover(one.architecture, other.architecture, rng)
            self.known[name] = self.candidates(self.admitted([child]))
        return self.known[name]

    def admitted(self, architectures: Sequence[T]) -> dict[str, T]:
        """Those that may be trained, by name."""
        return {self.problem.name(a): a for a in architectures if self.problem.admits(a)}

    def _sampled(self) -> dict[str, T]:
        """Feasible samples: half uniform over architectures, half over depths and choices."""
        rng, problem = Random(f"{self.problem.seed}/pool"), self.problem
        drawn = (
            problem.space.sample(rng, by="choice" if i % 2 else "architecture")
            for i in range(self.samples * DRAWS)
        )
        return self.admitted(list(islice(filter(problem.admits, drawn), self.samples)))


def _number(entry: Entry[T]) -> int:
    return entry.number

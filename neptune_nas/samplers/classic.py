"""Strategies without a model: random search, aging evolution, local search, NSGA-II."""

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Generic, TypeVar

from neptune_nas.files.rules import Share, Size
from neptune_nas.files.schema import check
from neptune_nas.samplers.history import History, best, ranked
from neptune_nas.samplers.problem import Problem, with_edits

T = TypeVar("T")

_TRIES = 50  # moves from one parent before the fallback
FEW = 5  # random moves before all neighbors are listed


@dataclass(frozen=True, slots=True)
class RandomSearch(Generic[T]):
    """Random search, uniform over all feasible, unseen architectures (see `Problem.random`)."""

    problem: Problem[T]

    def __call__(self, history: History[T], rng: Random, /) -> T:
        """Return a random unseen architecture."""
        return self.problem.random(history.seen, rng)


@dataclass(frozen=True, slots=True)
class Evolution(Generic[T]):
    """Aging evolution (Real et al. 2019, arXiv 1802.01548): mutate the best of a few young trials.

    `population`: how many of the last finished trials are alive. `sample`: how many compete.
    """

    problem: Problem[T]
    population: Size = 20
    sample: Size = 5

    def __post_init__(self) -> None:
        check(self)

    def __call__(self, history: History[T], rng: Random, /) -> T:
        """Return a mutation of a tournament's winner; random until the population is full."""
        if len(history.entries) < self.population or not history.finished:
            return self.problem.random(history.seen, rng)
        alive = history.finished[-self.population :]
        parent = best(rng.sample(alive, min(self.sample, len(alive))), 1)[0].architecture
        return _mutant(self.problem, history, parent, rng)


@dataclass(frozen=True, slots=True)
class LocalSearch(Generic[T]):
    """First-improvement local search (White et al. 2021, arXiv 2005.02960).

    It tries the neighbors of the best trial in random order; once all are seen, those of the next
    best. `start`: how many random architectures to begin with.
    """

    problem: Problem[T]
    start: Size = 5

    def __post_init__(self) -> None:
        check(self)

    def __call__(self, history: History[T], rng: Random, /) -> T:
        """Return an unseen neighbor of the best trial that has one."""
        if len(history.entries) >= self.start:
            for entry in ranked(history.finished):
                child = self._neighbor(history, entry.architecture, rng)
                if child is not None:
                    return child
        return self.problem.random(history.seen, rng)

    def _neighbor(self, history: History[T], parent: T, rng: Random) -> T | None:
        problem = self.problem
        drawn = problem.fresh(history.seen, partial(with_edits, problem, parent, 1, rng), FEW)
        if drawn is not None:
            return drawn
        near = list(problem.space.neighbors(parent))
        rng.shuffle(near)
        return problem.fresh(history.seen, iter(near).__next__, len(near))


@dataclass(frozen=True, slots=True)
class Nsga2(Generic[T]):
    """NSGA-II (Deb et al. 2002, doi 10.1109/4235.996017), one child at a time.

    Parents are drawn by binary tournaments from the best `population` of all trials. `crossover`:
    the share of children with two parents; all children are mutated, those of two with
    probability `mutation`.
    """

    problem: Problem[T]
    population: Size = 20
    crossover: Share = 0.9
    mutation: Share = 0.5

    def __post_init__(self) -> None:
        check(self)

    def __call__(self, history: History[T], rng: Random, /) -> T:
        """Return a child of good trials; random until the population is full."""
        if len(history.entries) < self.population or not history.finished:
            return self.problem.random(history.seen, rng)
        parents = [entry.architecture for entry in best(history.finished, self.population)]
        problem = self.problem
        child = problem.fresh(history.seen, lambda: self._child(parents, rng), _TRIES)
        return child if child is not None else _mutant(problem, history, parents[0], rng)

    def _child(self, parents: list[T], rng: Random) -> T:
        mother, father = (parents[_tournament(len(parents), rng)] for _ in range(2))
        if rng.random() >= self.crossover:
            return with_edits(self.problem, mother, 1, rng)
        child = self.problem.space.crossover(mother, father, rng)
        return with_edits(self.problem, child, 1, rng) if rng.random() < self.mutation else child


def _tournament(count: int, rng: Random) -> int:
    """Return the better (smaller) of two random ranks below `count`."""
    return min(rng.randrange(count), rng.randrange(count))


def _mutant(problem: Problem[T], history: History[T], parent: T, rng: Random) -> T:
    """Return an unseen architecture with as few edits of `parent` as possible, or any."""
    for edits in (1, 2, 3):
        drawn = problem.fresh(
            history.seen, partial(with_edits, problem, parent, edits, rng), _TRIES
        )
        if drawn is not None:
            return drawn
    return problem.random(history.seen, rng)

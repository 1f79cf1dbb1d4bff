from random import Random

import pytest

from neptune_nas.architecture.records import Architecture
from neptune_nas.samplers.classic import Evolution, LocalSearch, Nsga2, RandomSearch
from neptune_nas.samplers.problem import Problem, with_edits
from neptune_nas.samplers.sampler import SpaceSampler
from neptune_nas.space import Space, choice
from tests.samplers.contract import SamplerContract
from tests.samplers.helpers import NESTED, SMALL, accuracy, cost, make_study, step

PROBLEM = Problem(NESTED, ("accuracy",), cost)


class TestRandom(SamplerContract):
    name = "random"


class TestEvolution(SamplerContract):
    name = "evolution"


class TestLocal(SamplerContract):
    name = "local"


class TestNsga2(SamplerContract):
    name = "nsga2"


def test_random_search_is_uniform_over_what_is_left() -> None:
    strategy = SpaceSampler(Problem(SMALL), RandomSearch(Problem(SMALL)))
    study = make_study(strategy, 1)
    found = [step(study, SMALL) for _ in range(20)]
    widths = [architecture.stages[0].width for architecture in found]
    assert {*widths} == {8, 16, 32}


def test_local_search_stays_beside_the_best_it_has_seen() -> None:
    study = make_study(SpaceSampler(PROBLEM, LocalSearch(PROBLEM, start=1)), 1)
    best = step(study, NESTED)
    for _ in range(15):
        near = step(study, NESTED)
        assert NESTED.distance(best, near) == 1
        best = max(best, near, key=accuracy)


def test_evolution_forgets_the_old() -> None:
    strategy = Evolution(PROBLEM, population=2, sample=2)
    study = make_study(SpaceSampler(PROBLEM, strategy), 1)
    found = [step(study, NESTED) for _ in range(12)]
    for i in range(2, 12):
        parent = max(found[i - 2 : i], key=accuracy)
        assert NESTED.distance(parent, found[i]) == 1


def test_nsga2_crosses_the_best() -> None:
    strategy = Nsga2(PROBLEM, population=2, crossover=1.0, mutation=0.0)
    study = make_study(SpaceSampler(PROBLEM, strategy), 1)
    found = [step(study, NESTED) for _ in range(3)]
    depths = {len(architecture.stages) for architecture in found[:2]}
    assert len(found[2].stages) in depths


@pytest.mark.parametrize("strategy", [Evolution, LocalSearch, Nsga2])
def test_strategies_beat_random_search(strategy: type[Evolution[Architecture]]) -> None:
    def reached(made: object, seed: int) -> float:
        asked = Problem(NESTED, ("accuracy",), cost, seed=seed)
        study = make_study(SpaceSampler(asked, made(asked)), 1)  # type: ignore[operator]  # a class
        return max(accuracy(step(study, NESTED)) for _ in range(60))

    ours = sum(reached(strategy, seed) for seed in range(3))
    assert ours > sum(reached(RandomSearch, seed) for seed in range(3))


def test_an_architecture_without_neighbors_stays_as_it_is() -> None:
    alone = Space("alone", Architecture(stages=choice(Architecture().stages)))
    assert with_edits(Problem(alone), alone[0], 3, Random(0)) == alone[0]

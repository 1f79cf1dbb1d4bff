import numpy as np
import pytest

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture
from neptune_nas.samplers.history import History
from neptune_nas.samplers.pool import ELITE, Pool
from neptune_nas.samplers.problem import Problem, SpaceExhaustedError
from tests.samplers.helpers import NESTED, SMALL, cost
from tests.samplers.test_problem import LEAST, is_least
from tests.samplers.test_surrogate import HISTORY

OBJECTIVES = ("accuracy", "flops")


def is_light(architecture: Architecture) -> bool:
    return cost(architecture)["params"] < 60_000


def test_all_networks_of_a_small_space_are_candidates() -> None:
    pool = Pool(Problem(SMALL, OBJECTIVES, cost), samples=10)
    assert {*pool.base.names} == {key(SMALL[i]) for i in range(SMALL.size)}


def test_of_a_large_space_so_many_feasible_ones_are() -> None:
    pool = Pool(Problem(NESTED, OBJECTIVES, cost, is_light), samples=100)
    assert 90 <= len(pool.base.names) <= 101
    assert all(map(is_light, pool.base.architectures))


def test_where_few_are_feasible_walks_fill_the_pool() -> None:
    for rare in (LEAST, None):
        problem = Problem(NESTED, OBJECTIVES, cost, is_least, find_rare=lambda rare=rare: rare)  # type: ignore[misc]  # mypy infers no lambda with a default
        pool = Pool(problem, samples=100)
        assert 90 <= len(pool.base.names) <= 101
        assert all(map(is_least, pool.base.architectures))
        assert Pool(problem, samples=100).base.names == pool.base.names


def test_candidates_carry_their_exact_costs() -> None:
    pool = Pool(Problem(NESTED, OBJECTIVES, cost), samples=20)
    flops = [[cost(architecture)["flops"]] for architecture in pool.base.architectures]
    assert pool.exact == ("flops",)
    assert np.array_equal(pool.base.costs, flops)


def test_more_is_sought_around_the_best() -> None:
    near = Pool(Problem(NESTED, OBJECTIVES, cost), samples=20).near(HISTORY)
    assert len(near.names) > 5 * ELITE
    assert all(architecture in NESTED for architecture in near.architectures)
    entries = HISTORY.finished
    apart = [
        min(NESTED.distance(found, entry.architecture) for entry in entries)
        for found in near.architectures[:4]
    ]
    assert max(apart) <= 1


def test_nothing_is_near_before_the_first_trial() -> None:
    pool = Pool(Problem(NESTED, OBJECTIVES, cost), samples=20)
    assert len(pool.near(History((), (-1.0, 1.0))).names) == 0


def test_a_pool_without_a_feasible_candidate_is_exhausted() -> None:
    with pytest.raises(SpaceExhaustedError, match="space 'small' is exhausted"):
        Pool(Problem(SMALL, OBJECTIVES, cost, lambda _: False), samples=20)

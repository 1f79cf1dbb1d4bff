from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.metrics.pareto import hypervolume
from neptune_nas.samplers.gain import Front, expected_gain, improvement

CERTAIN = 1e-9
numbers = st.floats(0.0, 1.0)


def front(points: Sequence[tuple[float, ...]], floor: float = 0.0) -> Front:
    """Return a front of `(score, *costs)`, measured from `floor` and costs of 1."""
    table = np.array(points).reshape(len(points), -1)
    ceiling = np.ones(max(table.shape[1] - 1, 0))
    return Front(table[:, 0], table[:, 1:], floor, ceiling)


def gain(score: float, deviation: float, cost: tuple[float, ...], of: Front) -> float:
    found = expected_gain(np.array([score]), np.array([deviation]), np.array([cost]), of)
    return float(found[0])


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8), numbers, numbers)
def test_a_certain_score_gains_the_hypervolume_it_adds(
    points: list[tuple[float, float]], score: float, cost: float
) -> None:
    def volume(of: list[tuple[float, float]]) -> float:
        return hypervolume([(-a, b) for a, b in of], (0.0, 1.0))

    added = volume([*points, (score, cost)]) - volume(points)
    assert gain(score, CERTAIN, (cost,), front(points)) == pytest.approx(added, abs=1e-6)


def test_without_costs_it_is_the_expected_improvement() -> None:
    drawn = np.random.default_rng(0).normal(0.6, 0.2, 400_000)
    expected = np.maximum(drawn - 0.7, 0).mean()
    assert gain(0.6, 0.2, (), front([(0.7,), (0.2,)])) == pytest.approx(expected, rel=0.01)


def test_with_one_cost_it_is_the_mean_over_scores() -> None:
    points = [(0.3, 0.1), (0.6, 0.4), (0.8, 0.9)]
    drawn = np.random.default_rng(0).normal(0.6, 0.15, 2_000)
    exact = [gain(score, CERTAIN, (0.3,), front(points)) for score in drawn]
    assert gain(0.6, 0.15, (0.3,), front(points)) == pytest.approx(np.mean(exact), rel=0.05)


def test_with_two_costs_it_comes_near_the_hypervolume_that_is_added() -> None:
    points = [(0.5, 0.2, 0.7), (0.7, 0.6, 0.4)]

    def volume(of: list[tuple[float, float, float]]) -> float:
        return hypervolume([(-a, b, c) for a, b, c in of], (0.0, 1.0, 1.0))

    added = volume([*points, (0.9, 0.3, 0.3)]) - volume(points)
    lowest = expected_gain(
        np.array([0.9, 0.0]),
        np.full(2, CERTAIN),
        np.array([[0.3, 0.3], [0.0, 0.0]]),
        front(points),
    )
    assert lowest[0] == pytest.approx(added, rel=0.15)


@given(st.lists(st.tuples(numbers, numbers), max_size=5), numbers, numbers)
def test_no_gain_is_negative_and_doubt_adds_to_it(
    points: list[tuple[float, float]], score: float, cost: float
) -> None:
    of = front(points) if points else Front(np.zeros(0), np.zeros((0, 1)), 0.0, np.ones(1))
    sure, unsure = (gain(score, deviation, (cost,), of) for deviation in (0.01, 0.2))
    assert 0 <= sure <= unsure + 1e-9


def test_an_improvement_over_what_is_far_below_is_the_difference() -> None:
    found = improvement(np.array([0.9]), np.array([0.01]), np.array([0.1]))
    assert found == pytest.approx(np.array([[0.8]]))

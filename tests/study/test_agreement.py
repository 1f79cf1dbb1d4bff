import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from neptune_nas.study.agreement import agreement

pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=4, max_size=15)
varied = pairs.filter(lambda p: len({x for x, _ in p}) > 1 and len({y for _, y in p}) > 1)


@settings(max_examples=5)
@given(varied)
def test_tau_and_rho_are_those_of_scipy(points: list[tuple[int, int]]) -> None:
    x, y = np.array(points, dtype=np.float64).T
    found = agreement("x", x.tolist(), y.tolist())
    assert found is not None
    assert found.tau.value == pytest.approx(kendalltau(x, y).statistic)
    assert found.rho.value == pytest.approx(spearmanr(x, y).statistic)


def test_the_same_order_agrees_wholly_and_its_reverse_not_at_all() -> None:
    same, turned = (agreement("x", values, range(9)) for values in (range(9), range(9, 0, -1)))
    assert same is not None
    assert turned is not None
    assert (same.tau.value, same.rho.value, same.tau.low) == pytest.approx((1, 1, 1))
    assert (turned.tau.value, turned.rho.value, turned.rho.high) == pytest.approx((-1, -1, -1))


def test_an_interval_holds_its_value_and_shrinks_with_more() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for count in (12, 60):
        truth = rng.normal(size=count)
        found = agreement("noisy", (truth + rng.normal(size=count)).tolist(), truth.tolist())
        assert found is not None
        assert found.tau.low <= found.tau.value <= found.tau.high
        widths.append(found.tau.high - found.tau.low)
    assert widths[1] < widths[0]


def test_what_has_no_value_is_left_out() -> None:
    found = agreement("x", [1, 2, float("nan"), 3, 4], [1, 2, 0, 3, 4])
    assert found is not None
    assert (found.count, found.tau.value) == (4, 1.0)


def test_fewer_than_four_have_no_ranking() -> None:
    assert agreement("x", [1, 2, 3], [1, 2, 3]) is None


def test_a_single_tie_has_no_correlation() -> None:
    found = agreement("x", [1, 1, 1, 1], [1, 2, 3, 4])
    assert found is not None
    assert np.isnan([found.tau.value, found.tau.low, found.rho.high]).all()

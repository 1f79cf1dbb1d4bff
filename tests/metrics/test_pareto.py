"""Dominance and hypervolume against closed forms and Optuna's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna._hypervolume import compute_hypervolume
from optuna.study._multi_objective import _fast_non_domination_rank

from neptune_nas.metrics.pareto import Floats, hypervolume, non_dominated, ranks


@st.composite
def clouds(draw: st.DrawFn, least: int = 1, most: int = 12) -> Floats:
    """Up to a dozen points of one to four objectives, on a coarse grid so that ties are common."""
    objectives = draw(st.integers(1, 4))
    points = st.lists(st.integers(0, 6), min_size=objectives, max_size=objectives)
    return np.array(draw(st.lists(points, min_size=least, max_size=most)), dtype=np.float64)


def dominates(a: Floats, b: Floats) -> bool:
    """Return the definition, word for word."""
    return bool((a <= b).all() and (a < b).any())


@given(clouds())
def test_a_point_is_kept_just_if_no_other_dominates_it(points: Floats) -> None:
    expected = [not any(dominates(other, point) for other in points) for point in points]
    assert non_dominated(points).tolist() == expected


@given(clouds())
def test_ranks_are_those_of_optuna(points: Floats) -> None:
    assert ranks(points).tolist() == _fast_non_domination_rank(points).tolist()


@given(clouds())
def test_hypervolume_is_that_of_optuna(points: Floats) -> None:
    corner = np.full(points.shape[1], 7.0)
    assert hypervolume(points, corner) == pytest.approx(compute_hypervolume(points, corner))


@given(clouds(), st.integers(3, 7))
def test_hypervolume_counts_the_dominated_cells_of_a_grid(points: Floats, side: int) -> None:
    corner = np.full(points.shape[1], float(side))
    cells = np.stack(np.meshgrid(*[np.arange(side)] * points.shape[1]), axis=-1)
    cells = cells.reshape(-1, points.shape[1])
    covered = sum(bool((points <= cell).all(axis=1).any()) for cell in cells)
    assert hypervolume(points, corner) == pytest.approx(covered)


@given(clouds(least=2))
def test_hypervolume_ignores_order_and_dominated_points(points: Floats) -> None:
    corner = np.full(points.shape[1], 7.0)
    whole = hypervolume(points, corner)
    assert hypervolume(points[::-1], corner) == pytest.approx(whole)
    assert hypervolume(points[non_dominated(points)], corner) == pytest.approx(whole)


@pytest.mark.parametrize("steps", [1, 2, 5, 50])
def test_a_stair_of_n_steps_covers_the_closed_form(steps: int) -> None:
    # Corners at (i / n, 1 - (i + 1) / n) cover 1/n wide columns of heights 1/n, 2/n, ..., 1.
    i = np.arange(steps)
    stair = np.stack([i / steps, 1 - (i + 1) / steps], axis=1)
    assert hypervolume(stair, [1, 1]) == pytest.approx((steps + 1) / (2 * steps))


def test_two_boxes_in_three_dimensions_overlap_once() -> None:
    # 1x2x3 and 3x2x1 boxes under the corner share 1x2x1.
    assert hypervolume([[2, 1, 0], [0, 1, 2]], [3, 3, 3]) == pytest.approx(6 + 6 - 2)


def test_points_outside_the_reference_add_nothing() -> None:
    assert hypervolume([[1, 5], [5, 1], [3, 3]], [3, 3]) == 0

from random import Random

import pytest

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture
from neptune_nas.samplers import problem as problem_module
from neptune_nas.samplers.problem import Problem, SpaceExhaustedError
from tests.samplers.helpers import NESTED, SMALL, cost


def test_points_are_the_feasible_ones_by_name() -> None:
    def light(architecture: object) -> bool:
        return cost(architecture)["params"] < 2_000  # type: ignore[arg-type]  # of the space

    points = Problem(SMALL, feasible=light).points
    assert points is not None
    assert points.keys() == {key(SMALL[i]) for i in range(SMALL.size) if light(SMALL[i])}


def test_a_large_space_is_not_listed() -> None:
    assert Problem(NESTED).points is None


def test_the_last_one_left_is_found() -> None:
    problem = Problem(SMALL)
    assert problem.points is not None
    *others, last = problem.points
    assert key(problem.random(dict.fromkeys(others), Random(0))) == last


def test_a_large_space_without_a_feasible_point_is_exhausted_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(problem_module, "DRAWS", 200)
    problem = Problem(NESTED, feasible=lambda _: False)
    with pytest.raises(SpaceExhaustedError, match="feasible and new after 0 trials"):
        problem.random({}, Random(0))


def test_constraints_are_only_blamed_where_there_are_any() -> None:
    problem = Problem(SMALL)
    assert problem.points is not None
    with pytest.raises(SpaceExhaustedError, match=r"is new after \d+ trials; search a larger one"):
        problem.random(problem.points, Random(0))


def test_without_a_cost_nothing_is_known() -> None:
    assert Problem(SMALL).costs(SMALL[0]) == {}


def test_what_must_be_measured_is_asked_of_what_is_drawn_alone() -> None:
    measured = []

    def keeps(architecture: Architecture) -> bool:
        measured.append(architecture)
        return True

    problem = Problem(SMALL, keeps=keeps)
    assert problem.points is not None
    assert measured == []
    assert problem.random({}, Random(0)) == measured[0]
    *others, last = problem.points
    assert key(problem.random(dict.fromkeys(others), Random(0))) == last
    assert len(measured) == 2


def test_the_last_one_left_that_keeps_a_measured_limit_is_found() -> None:
    wanted = SMALL[17]
    problem = Problem(SMALL, keeps=lambda one: key(one) == key(wanted))
    assert problem.random({}, Random(0)) == wanted
    with pytest.raises(SpaceExhaustedError, match="feasible and new after 1 trials"):
        problem.random({key(wanted): wanted}, Random(0))

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


def is_least(architecture: Architecture) -> bool:
    """Hold for about one in a thousand of the space."""
    return cost(architecture)["params"] < 4_112


LEAST = NESTED.decode(
    {
        "stem.width": 8,
        "stages.depth": 1,
        "stages.0.width": 8,
        "stages.0.norm": "batch",
        "stages.0.substages.depth": 1,
        "stages.0.substages.0": "Attention",
        "stages.0.substages.0[1].heads": 2,
    }
)


def test_where_draws_find_next_to_none_walks_among_the_feasible_ones_do() -> None:
    problem = Problem(NESTED, feasible=is_least, find_rare=lambda: LEAST)
    seen: dict[str, Architecture] = {}
    for i in range(10):
        found = problem.random(seen, Random(i))
        assert is_least(found)
        assert key(found) not in seen
        seen[key(found)] = found
    assert any(NESTED.distance(found, LEAST) > 3 for found in seen.values())


def test_a_walk_is_the_same_for_the_same_seed() -> None:
    problem = Problem(NESTED, feasible=is_least, find_rare=lambda: LEAST)
    assert problem.random({}, Random(3)) == problem.random({}, Random(3))
    assert len({key(problem.random({}, Random(i))) for i in range(8)}) > 3


def test_a_walk_that_finds_nothing_new_is_over() -> None:
    alone = Problem(NESTED, feasible=lambda one: one == LEAST, find_rare=lambda: LEAST)
    assert alone.random({}, Random(0)) == LEAST
    with pytest.raises(SpaceExhaustedError, match="feasible and new after 1 trials"):
        alone.random({key(LEAST): LEAST}, Random(0))


def test_walks_begin_further_along_the_more_is_tried_whatever_that_was() -> None:
    problem = Problem(NESTED, feasible=is_least, find_rare=lambda: LEAST, seed=1)
    again = Problem(NESTED, feasible=is_least, find_rare=lambda: LEAST, seed=1)
    tried = [dict.fromkeys(map(str, range(number))) for number in range(8)]
    found = [problem.random(seen, Random(3)) for seen in tried]
    assert len({*map(key, found)}) > 3
    assert again.random(dict.fromkeys("abcdefg"), Random(3)) == found[7]


def test_what_was_only_sampled_is_said_to_seem_exhausted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem_module, "DRAWS", 200)
    drawn = Problem(NESTED, feasible=lambda _: False)
    with pytest.raises(SpaceExhaustedError, match=r"seems exhausted: none of 200 draws is both"):
        drawn.random({}, Random(0))
    walked = Problem(NESTED, feasible=lambda one: one == LEAST, find_rare=lambda: LEAST)
    with pytest.raises(SpaceExhaustedError, match=r"seems exhausted: none of 2,500 moves is both"):
        walked.random({key(LEAST): LEAST}, Random(0))


def test_a_small_space_is_listed_and_not_walked() -> None:
    problem = Problem(SMALL, feasible=lambda one: one == SMALL[5], find_rare=lambda: SMALL[5])
    assert problem.rare is None
    assert problem.random({}, Random(0)) == SMALL[5]

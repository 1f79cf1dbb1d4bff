"""Surveys: the share of a space that meets limits, and what they find where few do."""

from random import Random
from typing import Any, NoReturn

import pytest

from neptune_nas.errors import ArchitectureError, OptionError, SpaceError
from neptune_nas.metrics.constraints import Constraint
from neptune_nas.metrics.survey import survey
from neptune_nas.space import Space, integer

SPACE = Space("numbers", (integer(0, 99), integer(0, 99)))


def value(name: str, pair: Any) -> float:
    return float(pair[0] if name == "flops" else pair[1])


def test_a_survey_finds_the_feasible_share_with_its_interval() -> None:
    limits = [Constraint("flops", "<", 50), Constraint("params", "<", 50)]

    found = survey(SPACE, value, limits, Random(1))

    assert found.samples == 1_000
    assert found.interval[0] < 0.25 < found.interval[1]
    assert found.interval[0] < found.share < found.interval[1]
    assert found.example in SPACE
    assert found.require_example() == found.example
    assert max(found.require_example()) < 50
    assert {*found.smallest} == {"flops", "params"}
    assert max(found.smallest.values()) <= 1


def test_latency_is_measured_last_and_less_often() -> None:
    asked = []

    def watched(name: str, pair: Any) -> float:
        asked.append(name)
        return value(name, pair)

    found = survey(
        SPACE, watched, [Constraint("latency", "<", 50), Constraint("params", "<", 50)], Random(0)
    )

    assert found.samples == asked.count("params") == 50
    assert 0 < asked.count("latency") < 50


def test_a_hopeless_constraint_is_said_with_the_share_and_the_smallest_value() -> None:
    space = Space("large", (integer(1_000, 2_000), integer(0, 9)))

    limits = [Constraint("flops", "<=", 20), Constraint("params", "<", 5)]
    found = survey(space, value, limits, Random(0))

    with pytest.raises(
        OptionError,
        match=r"^space 'large': none of 1,000 random architectures meets flops <= 20 and params < "
        r"5, so at most 0\.38% of the space does; the smallest seen: flops 1,000, params 0; loosen",
    ):
        found.require_example()


def test_a_rare_feasible_architecture_is_looked_for_among_small_ones() -> None:
    class Rare:
        name = "rare"

        def sample(self, rng: Random, by: str = "architecture") -> tuple[int, int]:
            return (0, 0) if by == "choice" else (9, rng.randrange(9))

        def mutations(self, *_: object) -> NoReturn:
            raise AssertionError("one by choice is enough")

    found = survey(Rare(), value, [Constraint("flops", "<", 1)], Random(0))

    assert found.feasible == 0
    assert found.require_example() == (0, 0)


def test_a_space_without_an_architecture_for_the_images_says_why() -> None:
    def refuse(name: str, pair: Any) -> float:
        raise ArchitectureError(f"images are too small to count {name} of {pair}.")

    found = survey(SPACE, refuse, [Constraint("flops", "<", 1)], Random(0))

    with pytest.raises(OptionError, match=r"seen: nothing, as images are too small .*\); loosen"):
        found.require_example()


DIGITS = Space("digits", (integer(0, 9),) * 12)  # a millionth of it has a sum of at most 12


def digit_sum(_: str, digits: Any) -> float:
    return float(sum(digits))


@pytest.mark.parametrize("seed", range(5))
def test_where_no_draw_is_feasible_moves_downhill_find_one(seed: int) -> None:
    found = survey(DIGITS, digit_sum, [Constraint("flops", "<=", 12)], Random(seed))

    assert (found.samples, found.feasible) == (1_000, 0)
    assert found.example in DIGITS
    assert digit_sum("flops", found.require_example()) <= 12
    assert found.smallest["flops"] <= 12


def test_two_limits_that_draws_break_are_met_by_moves() -> None:
    def halves(name: str, digits: Any) -> float:
        return float(sum(digits[:6] if name == "flops" else digits[6:]))

    limits = [Constraint("flops", "<", 6), Constraint("params", "<=", 5)]
    found = survey(DIGITS, halves, limits, Random(0))

    assert found.feasible == 0
    assert all(limit.holds(halves(limit.name, found.require_example())) for limit in limits)


def test_a_limit_below_the_least_cost_is_refused_with_the_smallest_that_moves_found() -> None:
    def above(name: str, digits: Any) -> float:
        return 100 + digit_sum(name, digits)

    found = survey(DIGITS, above, [Constraint("flops", "<", 100)], Random(0))

    assert found.example is None
    assert 100 <= found.smallest["flops"] < 106  # the smallest draw has about 120
    with pytest.raises(
        OptionError,
        match=r"the smallest seen on images of 480x640 pixels: flops 10\d; loosen the constraints "
        r"or take another space, or smaller images\.$",
    ):
        found.require_example("images of 480x640 pixels", "smaller images")


def test_networks_that_images_are_too_small_for_are_left_behind_by_moves() -> None:
    def built(name: str, digits: Any) -> float:
        if digits[0] or digits[1]:
            raise ArchitectureError("images are too small.")
        return digit_sum(name, digits)

    space = Space("narrow", (integer(0, 99), integer(0, 99), integer(0, 1)))
    found = survey(space, built, [], Random(1), samples=20)

    assert found.feasible == 0
    assert found.unbuildable == "images are too small"


def test_a_space_of_one_architecture_has_nowhere_to_go() -> None:
    with pytest.raises(SpaceError, match="nothing one edit from"):
        ONE.mutate(ONE[0], Random(0))
    found = survey(ONE, value, [Constraint("flops", "<", 5)], Random(0), samples=3)

    assert (found.example, found.smallest) == (None, {"flops": 7.0})


ONE: Space[Any] = Space("one", (7, 7))


def test_progress_is_noted_after_each_sample() -> None:
    noted: list[tuple[int, int]] = []
    survey(
        SPACE,
        value,
        [Constraint("flops", "<", 50)],
        Random(0),
        3,
        note=lambda count, number: noted.append((count, number)),
    )

    assert noted == [(1, 3), (2, 3), (3, 3)]

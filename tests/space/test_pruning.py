from random import Random
from typing import Any

import pytest

from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.space import Space, choice, integer, repeat, tie, where
from neptune_nas.space.pruning import NOTHING, prune


def small(value: object) -> object:
    """Leave out numbers above 9."""
    return NOTHING if isinstance(value, int) and value > 9 else value


@pytest.mark.parametrize(
    ("template", "left"),
    [
        (5, 5),
        (50, NOTHING),
        (choice(1, 50, 2), choice(1, 2)),
        (choice(1, 50), 1),
        (choice(60, 50), NOTHING),
        (choice(1, choice(50, 2, 3)), choice(1, choice(2, 3))),
        (integer(1, 9, 4), integer(1, 9, 4)),
        (integer(8, 10), choice(8, 9)),
        (integer(10, 12), NOTHING),
        (tie("w", choice(1, 50, 2)), tie("w", choice(1, 2))),
        (tie("w", 50), NOTHING),
        (repeat(choice(1, 50), 1, 3), repeat(1, 1, 3)),
        (repeat(50, 1, 3), NOTHING),
        (repeat(50, 0, 3), repeat(50, 0, 0)),
        ((1, choice(2, 50)), (1, 2)),
        ((1, 50), NOTHING),
    ],
)
def test_what_is_left_of_a_template(template: Any, left: Any) -> None:
    assert prune(template, small) == left


def test_a_rule_stays_around_what_is_left() -> None:
    def even(value: int) -> bool:
        return value % 2 == 0

    assert prune(where(choice(1, 2, 50), even), small) == where(choice(1, 2), even)
    assert prune(where(50, even), small) is NOTHING


def test_what_is_left_of_a_space_is_a_part_of_it() -> None:
    def no_large_kernels(value: object) -> object:
        return NOTHING if value == Conv(7) else value

    whole = Space(
        "whole",
        Architecture(stages=(Stage(substages=repeat(choice(Conv(3), Conv(5), Conv(7)), 0, 2)),)),
    )
    stage: Any = whole.template.stages[0]
    left: Any = prune(stage.substages, no_large_kernels)
    part = Space("part", Architecture(stages=(Stage(substages=left),)))
    assert (whole.size, part.size) == (1 + 3 + 9, 1 + 2 + 4)
    assert all(part.sample(Random(seed)) in whole for seed in range(9))

"""What differs is named by its path."""

from typing import Any

import pytest
from hypothesis import given

from neptune_nas import Conv
from neptune_nas.space import Space, choice, integer, optional, repeat, tie, where
from tests.space.templates import Leaf, Pair, spaces

WIDTH = tie("w", choice(8, 16))


@given(spaces(), spaces())
def test_there_is_an_explanation_exactly_for_what_is_not_in_the_space(
    ours: Space[Any], theirs: Space[Any]
) -> None:
    assert all((theirs.explain(value) is None) == (value in theirs) for value in ours)


@pytest.mark.parametrize(
    ("template", "value", "message"),
    [
        (Leaf(Conv()), Leaf(1), "`a` is 1, but must be Conv(kernel=3, groups=1)"),
        (integer(1, 3), 4, "`.` is 4, but must be in range(1, 4)"),
        (optional(Conv(choice(3, 5))), Conv(7), "`[1].kernel` is 7, but must be one of 3, 5"),
        (Leaf(Conv()), Leaf(Conv(5)), "`a.kernel` is 5, but must be 3"),
        (Leaf(choice(1, 2)), Leaf(3), "`a` is 3, but must be one of 1, 2"),
        (Leaf(choice(1, 2)), 3, "`.` is 3, but must be a Leaf"),
        (Leaf(repeat(1, 1, 2)), Leaf(()), "`a.depth` is 0, but must be in 1..2"),
        (Leaf(repeat(1, 1, 2)), Leaf(1), "`a` is 1, but must be a tuple"),
        (repeat(choice(1, 2), 1, 2), (1, 3), "`.1` is 3, but must be one of 1, 2"),
        (Leaf((choice(1, 2), 3)), Leaf((1,)), "`a` is (1,), but must be a tuple of other length"),
        (
            Leaf(repeat(choice(1, 2), 1, 2, shared=True)),
            Leaf((1, 2)),
            "the items of `a` are not all alike",
        ),
        (Leaf(repeat(WIDTH, 1, 2)), Leaf((8, 16)), "the items of `a` decide a tie differently"),
        (
            Pair(WIDTH, WIDTH),
            Pair(8, 16),
            "`.` is Pair(first=8, second=16), which decides a tie in two ways",
        ),
        (Pair(WIDTH, 1), Pair(9, 1), "`first` is 9, but must be one of 8, 16"),
        (
            where(Leaf(integer(0, 3)), lambda leaf: leaf.a > 1),
            Leaf(1),
            "`.` is Leaf(a=1), which breaks its rule",
        ),
        (Leaf(where(integer(0, 3), lambda n: n > 1)), Leaf(1), "`a` is 1, which breaks its rule"),
    ],
)
def test_the_first_path_that_differs_is_named(template: Any, value: Any, message: str) -> None:
    assert Space("s", template).explain(value) == message


def test_a_global_rule_is_named_last() -> None:
    space = Space("s", Leaf(integer(0, 3)), where=lambda leaf: leaf.a > 1)

    assert space.explain(Leaf(1)) == "it breaks the rule of the space"

"""The words of a template and how they refuse nonsense."""

import pytest

from neptune_nas import Conv, Stage
from neptune_nas.errors import SpaceError
from neptune_nas.space import Space, choice, integer, optional, repeat, tie
from tests.space.templates import Leaf


def test_an_option_or_nothing() -> None:
    assert [*Space("s", Leaf(optional(Conv(kernel=choice(3, 5)))))] == [
        Leaf(None),
        Leaf(Conv(3)),
        Leaf(Conv(5)),
    ]


def test_an_integer_includes_both_ends() -> None:
    assert [leaf.a for leaf in Space("s", Leaf(integer(16, 64, 16)))] == [16, 32, 48, 64]


def test_copies_may_stand_among_other_items() -> None:
    stage = Stage(substages=(Conv(1), *repeat(Conv(kernel=choice(3, 5)), 0, 1), Conv(7)))

    kernels = [tuple(conv.kernel for conv in s.substages) for s in Space("s", stage)]
    assert kernels == [(1, 7), (1, 3, 7), (1, 5, 7)]


def test_a_choice_needs_an_option() -> None:
    with pytest.raises(SpaceError, match="`choice` needs at least one option"):
        choice()


@pytest.mark.parametrize(("low", "high", "step"), [(1, 8, 2), (8, 1, 1), (1, 8, 0)])
def test_an_integer_needs_steps_that_lead_to_its_end(low: int, high: int, step: int) -> None:
    with pytest.raises(SpaceError, match=f"but got low={low}, high={high}, step={step}"):
        integer(low, high, step)


@pytest.mark.parametrize(("low", "high"), [(-1, 2), (3, 2)])
def test_a_repeat_needs_rising_lengths(low: int, high: int) -> None:
    with pytest.raises(SpaceError, match=f"0 <= low <= high, but got low={low}, high={high}"):
        repeat(Conv(), low, high)


def test_a_tie_needs_a_name_that_can_stand_in_a_path() -> None:
    with pytest.raises(SpaceError, match=r"`tie` needs a name .* but got 'a\.b'"):
        tie("a.b", 1)


def test_a_star_spreads_copies_only() -> None:
    with pytest.raises(SpaceError, match="only the copies of `repeat` can be spread"):
        (*choice((1, 2), (3, 4)),)

"""Templates that would give one architecture two names are refused."""

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pytest

from neptune_nas import Attention, Conv, Stage
from neptune_nas.architecture.fields import Open
from neptune_nas.errors import SpaceError
from neptune_nas.space import Space, choice, integer, optional, repeat, tie, where
from neptune_nas.space.compiler import labels_of
from tests.space.templates import Leaf, Pair

KERNEL = choice(3, 5)
OVERLAPPING = [
    choice(1, 1),
    choice(1, integer(0, 4)),
    choice(integer(0, 4, 2), integer(1, 7, 3)),
    choice(Conv(kernel=KERNEL), Conv(kernel=5)),
    choice(Conv(kernel=KERNEL), Conv(groups=choice(1, 2))),
    choice(repeat(Conv(), 0, 1), repeat(Attention(), 0, 1)),
    choice((*repeat(Conv(), 0, 2), Attention()), (Attention(heads=choice(2, 4)),)),
    choice(repeat(choice(1, 2), 1, 3), repeat(1, 1, 1, shared=True)),
    choice(optional(1), optional(2)),
    choice(Leaf(tie("t", choice(1, 2))), Leaf(choice(2, 3))),
    choice(where(Leaf(integer(0, 9)), lambda leaf: leaf.a > 4), Leaf(5)),
]
APART = [
    choice(1, True, 1.0, "1"),
    choice(Conv(kernel=KERNEL), Conv(kernel=7)),
    choice(Conv(kernel=KERNEL), Attention(heads=choice(2, 4))),
    choice(repeat(Conv(), 1, 2), repeat(Attention(), 1, 2)),
    choice(repeat(Conv(kernel=KERNEL), 1, 2), repeat(Conv(kernel=KERNEL), 3, 4)),
    choice(Leaf(integer(0, 4, 2)), Leaf(integer(1, 5, 2))),
    choice(where(Leaf(integer(0, 9)), lambda leaf: leaf.a > 4), Leaf(4)),
    choice((1, choice(2, 3)), (choice(2, 3), 1)),
]


@pytest.mark.parametrize("template", OVERLAPPING, ids=range(len(OVERLAPPING)))
def test_options_with_a_value_in_common_are_refused(template: Any) -> None:
    with pytest.raises(SpaceError, match=r"`a` has two options for one value.*overlap"):
        Space("s", Leaf(template))


@pytest.mark.parametrize("template", APART, ids=range(len(APART)))
def test_options_without_a_value_in_common_are_accepted(template: Any) -> None:
    space = Space("s", Leaf(template))

    assert len({repr(value) for value in space}) == space.size


def test_the_same_tie_must_stand_for_the_same_everywhere() -> None:
    with pytest.raises(SpaceError, match=r"`second` ties 't' to .*: use two names"):
        Space("s", Pair(tie("t", choice(1, 2)), tie("t", choice(1, 2, 3))))


def test_one_and_true_do_not_make_the_same_tie() -> None:
    with pytest.raises(SpaceError, match="use two names"):
        Space("s", Pair(tie("t", choice(1, 2)), tie("t", choice(True, 2))))


@pytest.mark.parametrize("known", [False, True], ids=["new", "known already"])
def test_a_tie_inside_a_tie_is_refused(known: bool) -> None:
    inner = tie("inner", choice(1, 2))
    template = Pair(inner if known else 0, tie("outer", Leaf(inner)))

    with pytest.raises(SpaceError, match=r"`second` has a tie inside tie 'outer'"):
        Space("s", template)


def test_two_repeats_of_varying_length_side_by_side_are_refused() -> None:
    stage = Stage(substages=(*repeat(Conv(), 0, 1), *repeat(Attention(), 0, 1)))

    with pytest.raises(SpaceError, match="`substages` has two repeats of varying length"):
        Space("s", stage)


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"`a` is .*, a word that spaces do not know"):
        Space("s", Leaf(Open()))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([1], r"but got \[1\]\.$"),
        ({"a": 1}, r"but got \{'a': 1\}\.$"),
        ((1, (nan,)), r"`a.*\.1\.0` must be a finite number, .* but got nan"),
        (np.int64(3), r"but got np\.int64\(3\): write 3\.$"),
        (np.float64(0.5), r": write 0\.5\.$"),
        (np.bool_(True), ": write True"),
        (np.zeros(1000), r"but got array\(\[0"),
        (10**400, r"but got 10+\.\.\.0+\.$"),
        ("\ud800", r"but got '\\ud800'"),
        (Conv, "but got <class"),
    ],
)
def test_a_value_that_json_would_change_is_refused(value: object, says: str) -> None:
    for template in (Leaf(value), Leaf(choice(1, value))):
        with pytest.raises(SpaceError, match=says) as caught:
            Space("s", template)
        assert "`a" in str(caught.value)


def test_a_record_inside_another_that_can_change_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"`a\.1` is a Loose, whose fields can change"):
        Space("s", Leaf((1, Loose())))


def test_labels_of_equal_looking_options_are_numbered() -> None:
    options = [Conv(kernel=KERNEL), Conv(kernel=choice(7, 9)), 1, True, "None", None, (KERNEL,)]

    assert labels_of(options) == (
        "Conv #0",
        "Conv #1",
        "1 #2",
        "True #3",
        "None #4",
        "None #5",
        "tuple",
    )


@dataclass
class Loose:
    """A record whose fields can change."""

    a: Any = 1


def test_a_record_that_can_change_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"`a\[0\]` is a Loose, .* @dataclass\(frozen=True\)"):
        Space("s", Leaf(choice(Loose(1), Loose(2))))

"""Picks by path: what was decided, and the architecture they decode to."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas import Conv
from neptune_nas.errors import SpaceError
from neptune_nas.space import RejectedError, Space, choice, integer, repeat, tie, where
from tests.space.templates import Leaf, Pair, spaces


@given(spaces())
def test_an_architecture_is_decoded_from_its_picks(space: Space[Any]) -> None:
    assert all(repr(space.decode(space.picks(value))) == repr(value) for value in space)


@given(spaces())
def test_different_architectures_have_different_picks_and_encodings(space: Space[Any]) -> None:
    assert len({str(space.picks(value)) for value in space}) == space.size
    assert len({space.encode(value) for value in space}) == space.size


@given(spaces())
def test_an_encoding_has_a_number_for_every_decision(space: Space[Any]) -> None:
    for value in space:
        code, taken = space.encode(value), space.picks(value)
        assert len(code) == len(space.decisions)
        for decision, number in zip(space.decisions, code, strict=True):
            assert 0 <= number <= 1 if decision.path in taken else number == -1


@given(spaces(), st.integers(0, 9))
def test_sampling_by_choice_stays_inside(space: Space[Any], seed: int) -> None:
    assert space.sample(Random(seed), by="choice") in space


SPACE = Space(
    "s",
    Pair(
        tie("w", choice(8, 16)),
        repeat(choice(Conv(kernel=choice(3, 5)), Leaf(tie("w", choice(8, 16)))), 1, 2),
    ),
)


def test_a_path_names_the_options_on_the_way() -> None:
    value = Pair(16, (Conv(5), Leaf(16)))

    assert SPACE.picks(value) == {
        "~w": 16,
        "second.depth": 2,
        "second.0": "Conv",
        "second.0[0].kernel": 5,
        "second.1": "Leaf",
    }


def test_the_choice_between_whole_templates_stands_at_the_root() -> None:
    space = Space("s", choice(Conv(kernel=choice(3, 5)), Leaf(1)))

    assert next(space.picks(value) for value in space) == {".": "Conv", "[0].kernel": 3}


def test_decisions_come_once_each_in_the_order_of_the_template() -> None:
    assert [decision.path for decision in SPACE.decisions] == [
        "~w",
        "second.depth",
        "second.0",
        "second.0[0].kernel",
        "second.1",
        "second.1[0].kernel",
    ]
    assert [d.path for d in SPACE.decisions if d.is_numeric] == ["second.depth"]


PICKS: dict[str, Any] = {"~w": 8, "second.depth": 1, "second.0": "Leaf"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"~w": 9}, r"`~w` needs one of 8, 16, but got 9"),
        ({"~w": 8.0}, r"`~w` needs one of 8, 16, but got 8\.0"),
        ({"second.0": "Conv"}, r"`second\.0\[0\]\.kernel` needs one of 3, 5, but got no pick"),
        ({"second.1": "Leaf"}, r"`second\.1` is not an open field here: remove it"),
        ({"second.depth": 3}, r"`second\.depth` needs one of 1, 2, but got 3"),
    ],
)
def test_picks_that_are_wrong_missing_or_unused_are_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpaceError, match=message):
        SPACE.decode(PICKS | change)


def test_picks_that_a_rule_forbids_are_rejected() -> None:
    ruled = Space("s", where(Pair(choice(1, 2), choice(1, 2)), lambda p: p.first != p.second))
    filtered = Space("s", Leaf(where(integer(0, 3), lambda number: number > 1)))
    whole = Space("s", Leaf(integer(0, 3)), where=lambda leaf: leaf.a > 1)

    with pytest.raises(RejectedError, match="a rule that forbids first=1, second=1"):
        ruled.decode({"first": 1, "second": 1})
    with pytest.raises(RejectedError, match="`a` has a rule that forbids 0"):
        filtered.decode({"a": 0})
    with pytest.raises(RejectedError, match=r"'s': its rule forbids Leaf\(a=0\)"):
        whole.decode({"a": 0})

"""Local rules: what they keep, what they read, and how they fail."""

from typing import Any

import pytest

from neptune_nas import Architecture, Attention, Conv, Stage
from neptune_nas.architecture.records import check_stage
from neptune_nas.errors import SpaceError
from neptune_nas.space import Space, buildable, choice, integer, repeat, where
from tests.space.templates import Leaf, Pair


def test_only_the_fields_that_a_rule_reads_are_enumerated() -> None:
    huge = repeat(integer(0, 9), 100, 100)

    space = Space("s", where(Pair(integer(1, 4), huge), lambda pair: pair.first > 1))

    assert space.size == 3 * 10**100


def test_a_rule_may_call_methods_and_compare_the_record() -> None:
    template = Pair(choice(1, 22), choice(3, 4))

    assert [*Space("s", where(template, lambda p: p != Pair(1, 3) and p.total() < 3))] == [
        Pair(1, 4)
    ]


def test_a_rule_sees_a_record_of_its_class() -> None:
    def first_of_pair(value: Any) -> bool:
        match value:
            case Pair(first=1):
                return isinstance(value, Pair) and hash(value) == hash(Pair(1, value.second))
        return False

    assert Space("s", where(Pair(choice(1, 2), choice(3, 4)), first_of_pair)).size == 2


def test_rules_on_rules_must_all_hold() -> None:
    below = where(Leaf(integer(0, 9)), lambda leaf: leaf.a < 6)

    assert [leaf.a for leaf in Space("s", where(below, lambda leaf: leaf.a % 2 == 0))] == [0, 2, 4]


def test_a_rule_that_nothing_obeys_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"'s': `a` has a rule that none of its 2 values obeys"):
        Space("s", Leaf(where(choice(1, 2), lambda number: number > 2)))


def test_a_rule_that_fails_is_named_with_what_it_failed_on() -> None:
    with pytest.raises(SpaceError, match=r"template has a rule that fails with ZeroDivisionError"):
        Space("s", where(Leaf(choice(0, 1)), lambda leaf: 1 / leaf.a > 0))


def test_a_rule_that_reads_an_unknown_field_is_named() -> None:
    with pytest.raises(SpaceError, match=r"fails with AttributeError: .*no attribute 'width'"):
        Space("s", where(Leaf(choice(0, 1)), lambda leaf: leaf.width > 0))  # type: ignore[attr-defined]  # that is the mistake


STAGE = Stage(
    width=choice(6, 8),
    substages=repeat(choice(Attention(heads=choice(2, 3, 4)), Conv(groups=choice(1, 4))), 1, 2),
)


def test_buildable_keeps_the_stages_that_fit_together() -> None:
    space = Space("s", where(STAGE, buildable))

    for stage in space:
        check_stage(stage)
    assert space.size == (3 + 3**2) + (4 + 4**2)


def test_a_space_with_stages_that_cannot_be_says_which_rule_to_add() -> None:
    space = Space("s", Architecture(stages=repeat(STAGE, 1, 2)))

    with pytest.raises(
        SpaceError,
        match=r"^space 's': `stages\.\*` allows an invalid"
        r" Stage: .*does not divide 6\. Rule it out with `where.*`buildable` is that",
    ):
        list(space)

"""Counting and numbering, held to a brute-force enumeration of random templates."""

from typing import Any

import pytest
from hypothesis import given

from neptune_nas.errors import SpaceError
from neptune_nas.space import Space, choice, integer, repeat, tie, where
from tests.space.templates import Leaf, Pair, brute, spaces


@given(spaces())
def test_a_space_holds_what_brute_force_finds_each_value_once(space: Space[Any]) -> None:
    values = [repr(space[i]) for i in range(space.size)]

    assert sorted(values) == sorted(map(repr, brute(space.template)))
    assert len({*values}) == len(values)


@given(spaces())
def test_index_is_the_inverse_of_getitem(space: Space[Any]) -> None:
    assert [space.index(space[i]) for i in range(space.size)] == list(range(space.size))


@given(spaces())
def test_iterating_gives_the_values_in_the_order_of_their_numbers(space: Space[Any]) -> None:
    assert list(map(repr, space)) == [repr(space[i]) for i in range(space.size)]


@given(spaces(), spaces())
def test_a_value_of_one_space_is_in_another_exactly_if_brute_force_finds_it_there(
    ours: Space[Any], theirs: Space[Any]
) -> None:
    known = {*map(repr, brute(theirs.template))}

    assert all((value in theirs) == (repr(value) in known) for value in ours)


def test_one_and_true_are_different_values() -> None:
    space = Space("s", Leaf(choice(1, True, 1.0)))

    assert [repr(value) for value in space] == ["Leaf(a=1)", "Leaf(a=True)", "Leaf(a=1.0)"]
    assert [space.index(value) for value in space] == [0, 1, 2]


def test_a_tie_takes_one_decision_in_all_its_places() -> None:
    width = tie("width", choice(8, 16))
    space = Space("s", repeat(Pair(width, choice(3, 5)), 1, 2))

    assert space.size == 2 * 2 + 2 * 4
    assert all(len({pair.first for pair in value}) == 1 for value in space)


def test_shared_copies_take_one_decision() -> None:
    space = Space("s", repeat(Leaf(choice(1, 2, 3)), 0, 2, shared=True))

    assert [*space][:4] == [(), (Leaf(1),), (Leaf(2),), (Leaf(3),)]
    assert space.size == 7


def test_repeats_nest() -> None:
    space = Space("s", repeat(repeat(choice(0, 1), 1, 2), 0, 2))

    assert space.size == 1 + 6 + 36


def test_the_size_of_a_nested_space_is_exact_beyond_any_float() -> None:
    space = Space("s", repeat(Pair(repeat(integer(1, 10), 1, 9), choice(1, 2, 3)), 12, 12))

    assert space.size == (3 * sum(10**n for n in range(1, 10))) ** 12
    assert space.index(space[space.size - 1]) == space.size - 1


def test_too_many_combinations_of_ties_are_refused() -> None:
    ties = [tie(name, integer(1, 200)) for name in "abc"]

    with pytest.raises(SpaceError, match=r"over 100,000 combinations of tied decisions.*tie fewer"):
        Space("s", (*ties,))


def test_a_rule_on_more_than_a_million_values_is_refused_by_its_path() -> None:
    with pytest.raises(SpaceError, match=r"'s': `a` has 10,000,000,000 values for its rule"):
        Space("s", Leaf(where(repeat(integer(0, 9), 10, 10), lambda _: True)))

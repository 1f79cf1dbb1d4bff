"""Neighbors, mutation, crossover and distance over random templates."""

from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from neptune_nas.errors import SpaceError
from neptune_nas.space import Space, choice, optional, repeat, tie, where
from tests.space.templates import Leaf, Pair, spaces

SEEDS = st.integers(0, 2**32)


@given(spaces(most=150), SEEDS)
def test_the_neighbors_are_all_at_distance_one_each_once(space: Space[Any], seed: int) -> None:
    value = space.sample(Random(seed))

    near = [repr(other) for other in space.neighbors(value)]

    assert sorted(near) == sorted(repr(b) for b in space if space.distance(value, b) == 1)


@given(spaces(), SEEDS)
def test_a_mutation_is_a_neighbor(space: Space[Any], seed: int) -> None:
    rng = Random(seed)
    value = space.sample(rng)
    near = [*map(repr, space.neighbors(value))]
    assume(near)

    assert repr(space.mutate(value, rng)) in near


@given(spaces(), SEEDS)
def test_mutations_go_on_as_single_ones_do(space: Space[Any], seed: int) -> None:
    value = space.sample(Random(seed))
    assume(any(True for _ in space.neighbors(value)))
    one, rng = Random(seed), Random(seed)

    found = [*map(repr, islice(space.mutations(value, rng), 5))]

    assert found == [repr(space.mutate(value, one)) for _ in range(5)]


@given(spaces(), SEEDS)
def test_a_crossover_is_inside_and_takes_each_decision_from_a_parent(
    space: Space[Any], seed: int
) -> None:
    rng = Random(seed)
    a, b = space.sample(rng), space.sample(rng)

    child = space.crossover(a, b, rng)

    assert child in space
    picks = [space.picks(parent).items() for parent in (a, b)]
    assert space.picks(child).items() <= picks[0] | picks[1]


@given(spaces(ties=False), SEEDS)
def test_the_distance_is_a_metric(space: Space[Any], seed: int) -> None:
    rng = Random(seed)
    a, b, c = (space.sample(rng) for _ in range(3))

    assert space.distance(a, b) == space.distance(b, a)
    assert (space.distance(a, b) == 0) == (repr(a) == repr(b))
    assert space.distance(a, c) <= space.distance(a, b) + space.distance(b, c)


@given(spaces(), SEEDS)
def test_the_distance_with_ties_is_symmetric_and_zero_between_equals_only(
    space: Space[Any], seed: int
) -> None:
    rng = Random(seed)
    a, b = space.sample(rng), space.sample(rng)

    assert space.distance(a, b) == space.distance(b, a)
    assert (space.distance(a, b) == 0) == (repr(a) == repr(b))


def test_a_changed_tie_is_one_edit() -> None:
    space = Space("s", repeat(Leaf(tie("t", choice(1, 2))), 3, 3))

    assert space.distance((Leaf(1),) * 3, (Leaf(2),) * 3) == 1


def test_edits_add_up_and_a_detour_over_another_option_is_taken() -> None:
    three = Pair(choice(1, 2), Pair(choice(1, 2), choice(1, 2)))
    ones, twos = Pair(1, Pair(1, 1)), Pair(2, Pair(2, 2))

    assert Space("s", three).distance(ones, twos) == 3
    assert Space("s", Leaf(optional(three))).distance(Leaf(ones), Leaf(twos)) == 2


def test_moves_pass_records_that_a_rule_forbids() -> None:
    template = Pair(choice(1, 2, 3), choice(1, 2, 3))
    space = Space("s", where(template, lambda p: p.first != p.second))

    assert {*space.neighbors(Pair(1, 2))} == {Pair(3, 2), Pair(1, 3)}


def test_an_architecture_with_no_neighbor_cannot_be_mutated() -> None:
    twins = Space("s", where(Pair(choice(1, 2), choice(1, 2)), lambda p: p.first == p.second))

    with pytest.raises(SpaceError, match=r"nothing one edit from Pair\(first=1, second=1\)"):
        twins.mutate(Pair(1, 1), Random(0))
    assert [*twins.mutations(Pair(1, 1), Random(0))] == []


def test_parents_without_an_allowed_mixture_have_one_of_themselves_as_child() -> None:
    twins = Space("s", where(Pair(choice(1, 2), choice(1, 2)), lambda p: p.first == p.second))
    parents = Pair(1, 1), Pair(2, 2)

    assert {twins.crossover(*parents, Random(seed)) for seed in range(9)} == {*parents}


def test_moves_of_a_stranger_are_refused() -> None:
    space = Space("s", Leaf(choice(1, 2)))

    for ask in (
        lambda: next(space.neighbors(Leaf(3))),
        lambda: space.mutate(Leaf(3), Random(0)),
        lambda: space.crossover(Leaf(1), Leaf(3), Random(0)),
        lambda: space.distance(Leaf(1), Leaf(3)),
        lambda: space.picks(Leaf(3)),
        lambda: space.index(Leaf(3)),
    ):
        with pytest.raises(SpaceError, match=r"'s' has no such architecture: `a` is 3, but"):
            ask()

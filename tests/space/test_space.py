"""The whole space: `tiny` point by point, uniform samples, global rules."""

import json
from collections import Counter, deque
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from neptune_nas import Architecture, Stage, Stem
from neptune_nas.architecture.codec import from_json, key, to_json
from neptune_nas.errors import SpaceError
from neptune_nas.space import RejectedError, Space, choice, find_space, integer, repeat
from tests.space.templates import Leaf

TINY: Space[Architecture] = find_space("tiny")
POINTS = list(TINY)


def test_tiny_has_at_most_2000_points_all_different() -> None:
    assert TINY.size == len(POINTS) == 600
    assert len({*POINTS}) == len({*map(key, POINTS)}) == 600


def test_every_point_of_tiny_has_its_number() -> None:
    assert [TINY.index(point) for point in POINTS] == list(range(600))
    assert [TINY[i] for i in range(600)] == POINTS


def test_every_point_of_tiny_is_decoded_from_its_picks_and_its_json() -> None:
    for point in POINTS:
        assert TINY.decode(TINY.picks(point)) == point
        assert from_json(json.loads(json.dumps(to_json(point)))) == point


def test_the_neighbors_in_tiny_are_all_points_at_distance_one() -> None:
    for point in POINTS[::40]:
        near = list(TINY.neighbors(point))
        assert len({*near}) == len(near)
        assert {*near} == {other for other in POINTS if TINY.distance(point, other) == 1}


def test_all_of_tiny_is_reached_by_moves() -> None:
    reached, border = {POINTS[0]}, deque(POINTS[:1])
    while len(reached) < TINY.size:
        new = {*TINY.neighbors(border.popleft())} - reached
        reached |= new
        border.extend(new)

    assert reached == {*POINTS}


def test_samples_are_uniform_over_architectures() -> None:
    rng = Random(0)
    seen = Counter(TINY.index(TINY.sample(rng)) for _ in range(12_000))

    assert chisquare([seen[i] for i in range(TINY.size)]).pvalue > 0.001


def test_samples_by_choice_are_uniform_at_each_choice() -> None:
    rng = Random(0)
    samples = [TINY.sample(rng, by="choice") for _ in range(4_000)]
    depths, widths = (
        Counter(len(sample.stages) for sample in samples),
        Counter(sample.stages[0].width for sample in samples),
    )

    assert chisquare(list(depths.values())).pvalue > 0.001
    assert chisquare(list(widths.values())).pvalue > 0.001


def test_a_number_outside_the_space_is_refused() -> None:
    for index in (-1, 600):
        with pytest.raises(IndexError, match=rf"'tiny' needs an index in 0\.\.599, not {index}"):
            TINY[index]


class Suggestions:
    """An Optuna trial, as far as a space sees it."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.params: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.params[name] = self.rng.choice(choices)
        return self.params[name]

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        self.params[name] = self.rng.choice(range(low, high + 1, step))
        return int(self.params[name])


@given(st.integers(0, 2**32))
def test_an_optuna_trial_is_asked_for_the_picks(seed: int) -> None:
    trial = Suggestions(Random(seed))

    assert TINY.picks(TINY.suggest(trial)) == trial.params


LARGE = Space("large", repeat(integer(0, 9), 12, 12), where=lambda value: value[0] < 3)


def test_a_global_rule_on_a_small_space_is_exact() -> None:
    space = Space("s", Leaf(integer(0, 9)), where=lambda leaf: leaf.a % 3 == 0)

    assert space.is_exact
    assert space.count().is_exact
    assert [leaf.a for leaf in space] == [0, 3, 6, 9]
    assert space.index(Leaf(6)) == 2
    assert {space.sample(Random(seed)).a for seed in range(40)} == {0, 3, 6, 9}
    assert {near.a for near in space.neighbors(Leaf(0))} == {3, 6, 9}


def test_a_global_rule_on_a_large_space_is_estimated_with_an_interval() -> None:
    count = LARGE.count()

    assert not count.is_exact
    assert count.low < 3 * 10**11 < count.high
    assert count.low < count.value < count.high
    assert (count.high - count.low) / count.value < 0.07


@pytest.mark.parametrize("holds", [True, False])
def test_an_estimate_lies_in_its_interval_beyond_any_float(holds: bool) -> None:
    everything = (10**15) ** 22
    space = Space("s", repeat(integer(1, 10**15), 22, 22), where=lambda _: holds)
    count = space.count()

    assert count.value == (everything if holds else 0)
    assert count.low <= count.value <= count.high <= everything
    assert count.low < count.high


@given(st.integers(0, 2**32))
def test_samples_and_moves_obey_a_global_rule(seed: int) -> None:
    rng = Random(seed)
    a, b = LARGE.sample(rng), LARGE.sample(rng, by="choice")

    for value in (a, b, LARGE.mutate(a, rng), LARGE.crossover(a, b, rng)):
        assert value in LARGE
        assert value[0] < 3
    assert (9,) * 12 not in LARGE


def test_what_needs_exact_numbers_is_refused_where_there_is_an_estimate_only() -> None:
    for ask in (
        lambda: LARGE.size,
        lambda: LARGE[0],
        lambda: LARGE.index((0,) * 12),
        lambda: list(LARGE),
    ):
        with pytest.raises(SpaceError, match="more than 200,000: use `count` and `sample`"):
            ask()


def test_a_global_rule_that_nothing_obeys_is_named() -> None:
    small = Space("s", Leaf(integer(0, 9)), where=lambda leaf: leaf.a > 9)
    large = Space("s", repeat(integer(0, 9), 12, 12), where=lambda value: value[0] > 9)

    with pytest.raises(SpaceError, match=r"^space 's' has a rule that none of its 10 values obeys"):
        small.sample(Random(0))
    with pytest.raises(SpaceError, match=r"10,000 random architectures broke its rules"):
        large.sample(Random(0))


def test_a_global_rule_that_fails_is_named() -> None:
    space = Space("s", Leaf(integer(0, 9)), where=lambda leaf: leaf.a.width)

    with pytest.raises(SpaceError, match=r"^space 's' has a rule that fails with AttributeError"):
        space.sample(Random(0))


def test_a_suggestion_that_breaks_a_rule_is_rejected() -> None:
    space = Space("s", repeat(integer(0, 9), 12, 12), where=lambda value: value[0] > 9)

    with pytest.raises(RejectedError, match="its rule forbids"):
        space.suggest(Suggestions(Random(0)))


def test_a_template_without_open_fields_is_a_space_of_one_point() -> None:
    space = Space("one", Architecture(stem=Stem(8), stages=(Stage(width=choice(8)),)))

    assert space.size == 1
    assert space.sample(Random(0)).stages[0].width == 8

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.architecture.records import Architecture, Conv, Identity, Stage
from neptune_nas.samplers.features import (
    Encoder,
    Scaler,
    decision_blocks,
    groups,
    join_points,
    tally,
)
from neptune_nas.samplers.problem import Problem
from neptune_nas.space import Space, choice, repeat
from tests.samplers.helpers import NESTED, cost

SAMPLES = [NESTED.sample(Random(seed)) for seed in range(60)]
ENCODER = Encoder(Problem(NESTED, ("accuracy",), cost), SAMPLES)


@given(st.integers(0, NESTED.size - 1), st.integers(0, NESTED.size - 1))
def test_only_equal_architectures_have_equal_picks(i: int, j: int) -> None:
    one, other = ENCODER([NESTED[i], NESTED[j]]).picks
    assert np.array_equal(one, other) == (i == j)


def test_two_options_of_a_choice_are_at_distance_one() -> None:
    space = Space("s", Architecture(stages=(Stage(norm=choice("batch", "lrn", "mln")),)))
    picks = Encoder(Problem(space), list(space))(list(space)).picks
    apart = ((picks[0] - picks[1]) ** 2).sum()
    assert apart == pytest.approx(1.0) == ((picks[0] - picks[2]) ** 2).sum()


def test_numbers_keep_their_order_and_differ_as_names_do() -> None:
    space = Space("s", Architecture(stages=(Stage(width=choice(8, 16, 32)),)))
    encoder = Encoder(Problem(space), list(space))
    picks = encoder(list(space)).picks
    by_order, by_name = (
        ((picks - picks[0]) ** 2)[:, encoder.groups == group].sum(axis=1) for group in (0, 1)
    )
    assert by_order == pytest.approx([0.0, 0.25, 1.0])
    assert by_name == pytest.approx([0.0, 1.0, 1.0])


def test_two_numbers_have_but_one_order() -> None:
    space = Space("s", Architecture(stages=(Stage(width=choice(8, 16)),)))
    encoder = Encoder(Problem(space), list(space))
    picks = encoder(list(space)).picks
    assert ((picks[0] - picks[1]) ** 2).sum() == pytest.approx(1.0)
    assert {*encoder.groups} == {0}


def test_counts_do_not_mind_the_place() -> None:
    block = choice(Conv(3), Identity())
    space = Space("s", Architecture(stages=(Stage(substages=(block, block)),)))
    points = Encoder(Problem(space), list(space))(list(space))
    same = [i for i in range(4) if {*map(type, space[i].stages[0].substages)} == {Conv, Identity}]
    assert points.counts[same[0]] == pytest.approx(points.counts[same[1]])
    assert not np.array_equal(points.picks[same[0]], points.picks[same[1]])


def test_features_are_standardised_over_the_reference() -> None:
    points = ENCODER(SAMPLES)
    for part in (points.counts, points.logs):
        assert part.mean(axis=0) == pytest.approx(0, abs=1e-9)
        assert part.std(axis=0) == pytest.approx(1)


def test_constant_columns_and_copies_are_dropped() -> None:
    table = np.array([[1.0, 2.0, 5.0, 0.3], [2.0, 4.0, 5.0, 0.1], [3.0, 6.0, 5.0, 0.2]])
    assert Scaler(table)(table).shape == (3, 2)


def test_large_spaces_share_a_weight_among_like_places() -> None:
    stage = Stage(width=choice(8, 16), substages=repeat(choice(Conv(3), Identity()), 1, 30))
    few, many = (Space("s", Architecture(stages=(stage,) * count)) for count in (1, 3))
    of = [tuple(decision_blocks(space.decisions).values()) for space in (few, many)]
    assert groups(of[0]).max() + 1 == len(few.decisions)
    assert groups(of[1]).max() + 1 == 3


def test_every_column_is_counted_once() -> None:
    assert (tally(tuple(decision_blocks(NESTED.decisions).values())).sum(axis=1) == 1).all()


def test_joined_points_keep_their_order() -> None:
    points = ENCODER(SAMPLES[:6])
    again = join_points([points[:2], points[2:]])
    assert np.array_equal(again.picks, points.picks)
    assert len(again) == 6

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.data.splitting import THREE_WAY, at_most, stratified

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=80)
SEEDS = st.integers(0, 2**31)


@given(LABELS, SEEDS)
def test_the_parts_hold_every_row_once(labels: list[int], seed: int) -> None:
    parts = stratified(labels, THREE_WAY, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))


@given(LABELS, SEEDS)
def test_the_parts_have_their_shares_of_all_rows(labels: list[int], seed: int) -> None:
    for part, share in zip(stratified(labels, THREE_WAY, seed), THREE_WAY, strict=True):
        assert abs(len(part) - share * len(labels)) <= 1


@given(LABELS, SEEDS)
def test_each_part_has_its_share_of_every_class_within_an_image_or_two(
    labels: list[int], seed: int
) -> None:
    values = np.asarray(labels)
    for part, share in zip(stratified(labels, THREE_WAY, seed), THREE_WAY, strict=True):
        for label in range(5):
            assert abs((values[part] == label).sum() - share * (values == label).sum()) <= 2


@given(LABELS, SEEDS)
def test_one_seed_gives_one_split(labels: list[int], seed: int) -> None:
    for first, second in zip(
        stratified(labels, THREE_WAY, seed), stratified(labels, THREE_WAY, seed), strict=True
    ):
        assert first.tolist() == second.tolist()


def test_two_seeds_give_two_splits() -> None:
    labels = [0, 1] * 50
    first, second = (stratified(labels, THREE_WAY, seed)[0] for seed in (0, 1))
    assert first.tolist() != second.tolist()


@given(LABELS, st.integers(1, 100), SEEDS)
def test_a_limit_keeps_exactly_that_many_rows_if_there_are_enough(
    labels: list[int], limit: int, seed: int
) -> None:
    rows = at_most(labels, limit, seed)
    assert len(rows) == len(set(rows.tolist())) == min(limit, len(labels))


def test_no_limit_keeps_all_rows_in_their_order() -> None:
    assert at_most([3, 1, 3], None, seed=0).tolist() == [0, 1, 2]

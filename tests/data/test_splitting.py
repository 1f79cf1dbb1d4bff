import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.data.splitting import THREE_WAY, TWO_WAY, at_most, stratified

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
def test_parts_that_could_have_a_class_have_it(labels: list[int], seed: int) -> None:
    values, parts = np.asarray(labels), stratified(labels, THREE_WAY, seed)
    has = np.array([np.bincount(values[part], minlength=5) for part in parts])
    needs = np.arange(3)[:, None] < np.minimum(has.sum(0), 3)
    for part, label in np.argwhere(has < needs):
        others = np.arange(5) != label
        assert (has <= needs)[part, others].all()  # nothing there could go in exchange


@pytest.mark.parametrize(("images", "expected"), [(1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1])])
@pytest.mark.parametrize("seed", range(5))
def test_a_rare_class_is_trained_on_first_then_validated_then_tested(
    images: int, expected: list[int], seed: int
) -> None:
    labels = np.array([0] * 200 + [1] * images)
    parts = stratified(labels, THREE_WAY, seed)
    assert [int(labels[part].sum()) for part in parts] == expected


@pytest.mark.parametrize("images", [1, 2, 5])
def test_a_tenth_has_a_class_of_two_images(images: int) -> None:
    labels = np.array([0] * 300 + [1] * images)
    train, rest = stratified(labels, TWO_WAY, 0)
    assert labels[train].sum() >= 1
    assert labels[rest].sum() == min(1, images - 1)


@given(LABELS, SEEDS)
def test_as_many_rows_as_classes_have_one_of_each(labels: list[int], seed: int) -> None:
    classes = {*labels}
    rows = at_most(labels, len(classes), seed)
    assert {labels[row] for row in rows} == classes


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


@given(st.integers(5, 40), SEEDS)
def test_masks_are_split_at_random_into_their_shares(count: int, seed: int) -> None:
    masks = np.arange(count * 6).reshape(count, 2, 3) % 255
    parts = stratified(masks, THREE_WAY, seed)
    assert sorted(np.concatenate(parts).tolist()) == [*range(count)]
    assert [len(part) for part in parts] == [len(p) for p in stratified([0] * count, THREE_WAY, 0)]
    assert len(at_most(masks, 3, seed)) == 3

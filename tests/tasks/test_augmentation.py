from dataclasses import replace
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neptune_nas.devices.numerics import Layout
from neptune_nas.errors import OptionError
from neptune_nas.tasks.augmentation import (
    Augment,
    Normalizer,
    Policy,
    blank_squares,
    crop_windows,
    draw_moves,
    random_views,
)
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import augment_for
from tests.training.data import easy_data

SEEDS = st.integers(0, 999)


def numbered(count: int = 8, height: int = 4, width: int = 5) -> Tensor:
    """Images in which every pixel has a value of its own, from 1 on."""
    return (
        torch.arange(1, height * width + 1, dtype=torch.uint8)
        .view(1, 1, height, width)
        .repeat(count, 2, 1, 1)
    )


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def crops(images: Tensor, padding: int, seed: int) -> Tensor:
    moves = draw_moves(Augment(crop=padding), images, seeded(seed))
    return crop_windows(images, padding, moves.corners)


def views(images: Tensor, augment: Augment, normalize: Normalizer, seed: int = 0) -> Tensor:
    return random_views(images, draw_moves(augment, images, seeded(seed)), normalize)


@given(SEEDS, st.integers(1, 3))
def test_a_crop_is_a_window_of_the_padded_image(seed: int, padding: int) -> None:
    images = numbered()
    padded = torch.nn.functional.pad(images, [padding] * 4)
    windows = [
        padded[0, :, down : down + 4, right : right + 5]
        for down in range(2 * padding + 1)
        for right in range(2 * padding + 1)
    ]
    for crop in crops(images, padding, seed):
        assert any(torch.equal(crop, window) for window in windows)


def test_all_windows_are_drawn() -> None:
    assert len(torch.unique(crops(numbered(500), 1, 0).flatten(1), dim=0)) == 9


def test_images_of_one_batch_are_cropped_each_on_its_own() -> None:
    assert len(torch.unique(crops(numbered(), 2, 0).flatten(1), dim=0)) > 1


def test_half_of_the_images_are_mirrored_and_the_others_left_alone() -> None:
    data, images = easy_data(), numbered(1000)[:, :1]
    normalize = Normalizer(data, torch.device("cpu"))
    found = views(images, Augment(flip=True), normalize)
    mirrored = (found == normalize(images.flip(-1))).all(dim=(1, 2, 3))
    same = (found == normalize(images)).all(dim=(1, 2, 3))
    assert (mirrored ^ same).all()
    assert 400 < int(mirrored.sum()) < 600


def test_without_augmentation_a_view_is_the_normalised_image() -> None:
    data = easy_data()
    normalize = Normalizer(data, torch.device("cpu"))
    images = data.train.images
    assert torch.equal(views(images, Augment(), normalize), normalize(images))


def test_normalised_training_images_have_zero_mean_and_unit_variance() -> None:
    data = easy_data()
    found = Normalizer(data, torch.device("cpu"))(data.train.images).double()
    assert abs(float(found.mean())) < 1e-5
    assert abs(float(found.std(correction=0)) - 1) < 1e-5


def test_normalised_images_lie_in_memory_as_they_are_to() -> None:
    data = easy_data()
    images = data.train.images.expand(-1, 3, -1, -1)
    last, plain = (
        Normalizer(data, torch.device("cpu"), layout)(images) for layout in get_args(Layout)
    )
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert plain.is_contiguous()
    assert torch.equal(last, plain)


def test_views_lie_in_memory_channels_last() -> None:
    data = easy_data()
    normalize = Normalizer(data, torch.device("cpu"))
    images = numbered()
    found = views(images, Augment(crop=1, flip=True), normalize)
    assert found.is_contiguous(memory_format=torch.channels_last)


@given(SEEDS, st.integers(1, 4))
def test_cutout_blanks_one_rectangle_no_larger_than_its_square(seed: int, side: int) -> None:
    ones = torch.ones(6, 2, 7, 9)
    moves = draw_moves(Augment(cutout=side), ones, seeded(seed))
    for image in blank_squares(ones, side, moves.centres):
        blank = image[0] == 0
        rows, columns = int(blank.any(1).sum()), int(blank.any(0).sum())
        assert 0 < rows <= side
        assert 0 < columns <= side
        assert int(blank.sum()) == rows * columns
        assert torch.equal(image[0], image[1])


@given(SEEDS)
def test_one_seed_gives_one_view(seed: int) -> None:
    normalize = Normalizer(easy_data(), torch.device("cpu"))
    augment, images = Augment(crop=1, flip=True, cutout=2), numbered()[:, :1]
    first, second = (views(images, augment, normalize, seed) for _ in range(2))
    assert torch.equal(first, second)


def test_auto_takes_what_suits_the_data_and_a_number_overrides_it() -> None:
    data = easy_data(crop=3, flip=True)
    assert augment_for(Recipe(), data) == Augment(crop=3, flip=True)
    recipe = Recipe(crop=1, flip=False, cutout=2, policy="rand")
    assert augment_for(recipe, data) == Augment(1, False, 2, "rand")


@given(SEEDS)
def test_the_moves_of_other_images_of_that_shape_are_the_same(seed: int) -> None:
    augment, images = Augment(crop=2, flip=True, cutout=3, policy="trivial"), numbered()
    states = []
    for each in (images, torch.zeros_like(images)):
        generator = seeded(seed)
        draw_moves(augment, each, generator)
        states.append(generator.get_state())
    assert torch.equal(*states)


def test_images_are_mirrored_as_they_are_told_to_be_if_at_all() -> None:
    wanted = torch.arange(8) % 3 == 0
    for flip in (True, False):
        moves = draw_moves(Augment(flip=flip), numbered(), seeded(0), wanted)
        assert torch.equal(moves.mirrored, wanted & flip)


@pytest.mark.parametrize("policy", ["trivial", "rand"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_policy_changes_images_each_by_one_of_its_changes(policy: Policy, channels: int) -> None:
    images = numbered(200, 16, 16)[:, :1].repeat(1, channels, 1, 1)
    normalize = Normalizer(easy_data(), torch.device("cpu"))
    found = views(images, Augment(policy=policy), normalize)
    kinds = torch.unique(found.flatten(1), dim=0)
    assert 3 < len(kinds) <= 16
    other = views(images, Augment(policy=policy), normalize, seed=1)
    assert not torch.equal(found, other)


def test_a_policy_seeds_no_other_devices_random_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(seed: int) -> None:
        raise AssertionError(f"all batches of an epoch would drop out alike on a GPU, by {seed}")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    before = torch.get_rng_state()
    normalize = Normalizer(easy_data(), torch.device("cpu"))
    views(numbered(16)[:, :1], Augment(policy="trivial"), normalize)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_policy_on_images_without_colours_is_refused() -> None:
    data = easy_data()
    splits = (data.train, data.validation, data.test)
    train, validation, test = (replace(s, images=s.images.repeat(1, 2, 1, 1)) for s in splits)
    two = replace(
        data, train=train, validation=validation, test=test, mean=(0.5, 0.5), std=(0.2, 0.2)
    )
    assert augment_for(Recipe(), two) == Augment()
    with pytest.raises(OptionError, match=r"`policy` trivial .* has 2 channels: leave it at none"):
        augment_for(Recipe(policy="trivial"), two)

from typing import get_args

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neptune_nas.devices.numerics import Layout
from neptune_nas.tasks.augmentation import (
    Augment,
    Normalizer,
    blank_squares,
    random_crops,
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


@given(SEEDS, st.integers(1, 3))
def test_a_crop_is_a_window_of_the_padded_image(seed: int, padding: int) -> None:
    images = numbered()
    padded = torch.nn.functional.pad(images, [padding] * 4)
    windows = [
        padded[0, :, down : down + 4, right : right + 5]
        for down in range(2 * padding + 1)
        for right in range(2 * padding + 1)
    ]
    for crop in random_crops(images, padding, seeded(seed)):
        assert any(torch.equal(crop, window) for window in windows)


def test_all_windows_are_drawn() -> None:
    crops = random_crops(numbered(500), 1, seeded(0))
    assert len(torch.unique(crops.flatten(1), dim=0)) == 9


def test_images_of_one_batch_are_cropped_each_on_its_own() -> None:
    crops = random_crops(numbered(), 2, seeded(0))
    assert len(torch.unique(crops.flatten(1), dim=0)) > 1


def test_half_of_the_images_are_mirrored_and_the_others_left_alone() -> None:
    data, images = easy_data(), numbered(1000)[:, :1]
    normalize = Normalizer(data, torch.device("cpu"))
    views = random_views(images, Augment(flip=True), normalize, seeded(0))
    mirrored = (views == normalize(images.flip(-1))).all(dim=(1, 2, 3))
    same = (views == normalize(images)).all(dim=(1, 2, 3))
    assert (mirrored ^ same).all()
    assert 400 < int(mirrored.sum()) < 600


def test_without_augmentation_a_view_is_the_normalised_image() -> None:
    data = easy_data()
    normalize = Normalizer(data, torch.device("cpu"))
    images = data.train.images
    views = random_views(images, Augment(), normalize, seeded(0))
    assert torch.equal(views, normalize(images))


def test_normalised_training_images_have_zero_mean_and_unit_variance() -> None:
    data = easy_data()
    views = Normalizer(data, torch.device("cpu"))(data.train.images).double()
    assert abs(float(views.mean())) < 1e-5
    assert abs(float(views.std(correction=0)) - 1) < 1e-5


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
    views = random_views(images, Augment(crop=1, flip=True), normalize, seeded(0))
    assert views.is_contiguous(memory_format=torch.channels_last)


@given(SEEDS, st.integers(1, 4))
def test_cutout_blanks_one_rectangle_no_larger_than_its_square(seed: int, side: int) -> None:
    images = blank_squares(torch.ones(6, 2, 7, 9), side, seeded(seed))
    for image in images:
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
    first, second = (random_views(images, augment, normalize, seeded(seed)) for _ in range(2))
    assert torch.equal(first, second)


def test_auto_takes_what_suits_the_data_and_a_number_overrides_it() -> None:
    data = easy_data(crop=3, flip=True)
    assert augment_for(Recipe(), data) == Augment(crop=3, flip=True)
    assert augment_for(Recipe(crop=1, flip=False, cutout=2), data) == Augment(1, False, 2)

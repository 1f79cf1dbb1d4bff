"""The training of networks that name the class of each pixel."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, nn

from neptune_nas.data.images import IGNORED, ImageData, Split, image_data
from neptune_nas.data.source import Source, in_memory
from neptune_nas.errors import OptionError
from neptune_nas.training.loop import TrainResult, train
from neptune_nas.training.measure import batch_size
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import augment_for
from tests.tasks.dense import Dense
from tests.training.data import endless, in_files

RECIPE = Recipe(batch_size=8, lr=0.05, precision="fp32")


def bright_data() -> ImageData:
    """Noise of 6 x 8 pixels, dark or bright: the class of each, but for a few that are ignored."""
    train, validation, test = (_split(count, seed) for seed, count in enumerate((40, 12, 8)))
    whole = in_memory(train.images, train.targets)
    source = Source("bright", ("dark", "bright"), whole, crop=1, task="segmentation")
    return image_data(source, (train, validation, test))


def _split(count: int, seed: int) -> Split:
    generator = Generator().manual_seed(seed)
    masks = torch.randint(2, (count, 6, 8), generator=generator).byte()
    images = masks * 120 + torch.randint(100, masks.shape, generator=generator).byte()
    masks[:, 0, 0] = IGNORED
    return Split(images.unsqueeze(1), masks)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Dense().build((1, 6, 8), 2)


def trained(data: ImageData, recipe: Recipe = RECIPE, epochs: int = 4) -> TrainResult:
    return train(network(), data, recipe, epochs)


def test_a_network_learns_the_class_of_each_pixel() -> None:
    found = trained(bright_data())
    assert found.failure is None
    assert tuple(found.values) == ("miou", "pixel_accuracy", "loss")
    assert found.values["miou"] > 0.95


def test_what_is_ignored_teaches_nothing() -> None:
    data = bright_data()
    masks = data.train.targets.clone()
    masks[:, 1:, :] = IGNORED
    few = trained(replace(data, train=Split(data.train.images, masks)))
    none = trained(replace(data, train=Split(data.train.images, torch.full_like(masks, IGNORED))))
    assert few.values["miou"] > none.values["miou"]


def test_images_in_files_train_as_those_in_memory_do(tmp_path: Path) -> None:
    data = bright_data()
    held = trained(data, epochs=2)
    streamed = trained(endless(in_files(data, tmp_path)), epochs=2)
    assert streamed.values == held.values


@pytest.mark.parametrize(
    "changes",
    [
        {"mixup": 0.5},
        {"cutout": 2},
        {"policy": "trivial"},
        {"flip": True},
        {"label_smoothing": 0.0},
    ],
    ids=str,
)
def test_a_recipe_may_change_images_in_any_way_that_masks_follow(
    changes: dict[str, Any],
) -> None:
    found = trained(bright_data(), replace(RECIPE, **changes))
    assert found.values["miou"] > 0.7


def test_a_mixture_that_masks_do_not_follow_is_refused() -> None:
    with pytest.raises(OptionError, match=r"`cutmix` must be 0 for segmentation, .* but is 1\.0"):
        augment_for(replace(RECIPE, cutmix=1.0), bright_data())


def test_fewer_large_images_are_measured_at_once_where_each_pixel_has_outputs() -> None:
    def sized(side: int) -> Split:
        images = torch.zeros(1, 1, side, side, dtype=torch.uint8)
        return Split(images, images[:, 0])

    assert batch_size(sized(8)) == batch_size(Split(sized(512).images, torch.zeros(1).long()))
    assert batch_size(sized(512)) == 4
    assert batch_size(sized(2048)) == 1

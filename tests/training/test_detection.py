"""The training of networks that say what is where."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, nn

from neptune_nas.data.images import BOX, NO_BOX, ImageData, Split, image_data
from neptune_nas.data.source import Source, in_memory
from neptune_nas.errors import OptionError
from neptune_nas.training.loop import TrainResult, train
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import augment_for
from tests.tasks.dense import Points
from tests.training.data import endless, in_files

RECIPE = Recipe(batch_size=8, lr=0.02, precision="fp32")
SIDE = 24


def square_data() -> ImageData:
    """Dark images of 24 x 24 pixels with a bright square, or with a grey one: their classes."""
    train, validation, test = (_split(count, seed) for seed, count in enumerate((48, 16, 8)))
    whole = in_memory(train.images, train.targets)
    source = Source("squares", ("bright", "grey"), whole, crop=1, task="detection")
    return image_data(source, (train, validation, test))


def _split(count: int, seed: int) -> Split:
    generator = Generator().manual_seed(seed)
    images = torch.randint(40, (count, 1, SIDE, SIDE), generator=generator).byte()
    boxes = torch.full((count, 2, BOX), NO_BOX)
    for row in range(count):
        left, top = torch.randint(SIDE - 12, (2,), generator=generator).tolist()
        grey = row % 2
        images[row, :, top : top + 12, left : left + 12] = 120 if grey else 250
        boxes[row, 0] = torch.tensor([left, top, left + 12, top + 12, grey])
    return Split(images, boxes)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Points(16).build((1, SIDE, SIDE), 8)


def trained(data: ImageData, recipe: Recipe = RECIPE, epochs: int = 12) -> TrainResult:
    return train(network(), data, recipe, epochs)


def test_a_network_learns_where_things_are() -> None:
    found = trained(square_data())
    assert found.failure is None
    assert tuple(found.values) == ("map50", "map", "loss")
    assert found.values["map50"] > 0.5


def test_images_in_files_train_as_those_in_memory_do(tmp_path: Path) -> None:
    data = square_data()
    held = trained(data, epochs=2)
    streamed = trained(endless(in_files(data, tmp_path)), epochs=2)
    assert streamed.values == held.values


@pytest.mark.parametrize(
    "changes",
    [{"cutout": 2}, {"policy": "trivial"}, {"flip": True}, {"label_smoothing": 0.0}],
    ids=str,
)
def test_a_recipe_may_change_images_in_any_way_that_boxes_follow(changes: dict[str, Any]) -> None:
    found = trained(square_data(), replace(RECIPE, **changes))
    assert found.values["map50"] > 0.2


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_a_mixture_that_boxes_do_not_follow_is_refused(name: str) -> None:
    mixing: dict[str, Any] = {name: 1.0}
    with pytest.raises(OptionError, match=rf"`{name}` must be 0 for detection, .* but is 1\.0"):
        augment_for(replace(RECIPE, **mixing), square_data())

import numpy as np
import pytest
import torch

from neptune_nas.data.digits import load_digits
from neptune_nas.data.digits_scenes import resized
from neptune_nas.data.images import ImageData, pixels_by_class
from neptune_nas.data.load import load_data, task_named


@pytest.fixture(scope="module")
def scenes() -> ImageData:
    return load_data("digits-scenes")


def test_the_scenes_are_the_same_on_every_machine(scenes: ImageData) -> None:
    assert scenes.fingerprint == "00c040990fe71c5c"


def test_they_are_for_segmentation_as_their_name_says(scenes: ImageData) -> None:
    assert scenes.task == task_named("digits-scenes#30") == "segmentation"
    assert scenes.input_shape == (1, 48, 48)
    assert [len(s) for s in (scenes.train, scenes.validation, scenes.test)] == [600, 200, 200]


def test_every_split_has_pixels_of_every_class_and_none_to_ignore(scenes: ImageData) -> None:
    for split in (scenes.train, scenes.validation, scenes.test):
        pixels = pixels_by_class(split.targets, 256).sum(0)
        assert pixels[: len(scenes.classes)].min() > 0
        assert pixels[len(scenes.classes) :].sum() == 0


def test_a_scene_has_one_digit_at_least_and_four_at_most(scenes: ImageData) -> None:
    kinds = pixels_by_class(scenes.train.targets, 11)[:, 1:].count_nonzero(1)
    assert (int(kinds.min()), int(kinds.max())) == (1, 4)


def test_a_digit_is_brighter_than_the_background_around_it(scenes: ImageData) -> None:
    images, masks = scenes.test.images[:, 0].float(), scenes.test.targets
    inside, outside = images[masks > 0].mean(), images[masks == 0].mean()
    assert inside > outside + 60


def test_a_count_cuts_the_training_scenes_alone(scenes: ImageData) -> None:
    few = load_data("digits-scenes#7")
    assert (len(few.train), len(few.validation)) == (7, 200)
    assert torch.equal(few.test.targets, scenes.test.targets)


@pytest.mark.parametrize("size", [8, 14, 24])
def test_a_digit_is_scaled_within_its_own_levels(size: int) -> None:
    digits = load_digits().train.take(np.arange(1))
    assert isinstance(digits, torch.Tensor)
    picture = digits[0, 0].numpy().astype(np.int64)
    found = resized(picture, size)
    assert found.shape == (size, size)
    assert picture.min() <= found.min() <= found.max() <= picture.max()
    assert size != len(picture) or (found == picture).all()


@pytest.fixture(scope="module")
def boxes() -> ImageData:
    return load_data("digits-boxes")


def test_boxes_are_the_same_on_every_machine(boxes: ImageData) -> None:
    assert boxes.fingerprint == "73a6bc8246c97281"


def test_the_scenes_with_boxes_are_those_with_masks(boxes: ImageData, scenes: ImageData) -> None:
    assert boxes.task == task_named("digits-boxes#30") == "detection"
    assert boxes.classes == tuple("0123456789")
    for ours, theirs in ((boxes.train, scenes.train), (boxes.test, scenes.test)):
        assert torch.equal(ours.images, theirs.images)


def test_a_box_just_holds_the_pixels_of_its_digit(boxes: ImageData, scenes: ImageData) -> None:
    for mask, found in zip(scenes.test.targets, boxes.test.targets, strict=True):
        seen = torch.zeros_like(mask)
        for left, top, right, bottom, label in found[found[:, 0] >= 0].long().tolist():
            part = mask[top:bottom, left:right].eq(label + 1)
            assert bool(part[0].any() & part[-1].any() & part[:, 0].any() & part[:, -1].any())
            seen[top:bottom, left:right] |= part.byte()
        assert torch.equal(seen.bool(), mask > 0)

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neptune_nas.data.images import (
    BOX,
    IGNORED,
    NO_BOX,
    ImageData,
    Split,
    channel_statistics,
    check_splits,
    image_data,
    joined,
    padded,
    pixels_by_class,
)
from neptune_nas.data.source import Source, in_memory
from neptune_nas.errors import DataError


def random_split(count: int = 12, seed: int = 0, size: int = 5) -> Split:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 2, size, size), generator=generator, dtype=torch.uint8)
    return Split(images, torch.arange(count) % 3)


def data_of(train: Split, validation: Split, test: Split) -> ImageData:
    source = Source("made", ("a", "b", "c"), in_memory(train.images, train.targets), crop=1)
    return image_data(source, (train, validation, test))


def changed(values: Tensor, place: int) -> Tensor:
    """Return a copy with another number at `place` of the flattened tensor."""
    copy = values.clone().flatten()
    copy[place] = (copy[place] + 1) % 3
    return copy.view_as(values)


SPLITS = (random_split(seed=1), random_split(9, seed=2), random_split(6, seed=3))


@given(st.integers(0, 2), st.integers(0, 6 * 2 * 25 - 1))
def test_the_fingerprint_changes_with_any_pixel(part: int, place: int) -> None:
    splits = list(SPLITS)
    splits[part] = replace(splits[part], images=changed(splits[part].images, place))
    assert data_of(*splits).fingerprint != data_of(*SPLITS).fingerprint


@given(st.integers(0, 2), st.integers(0, 5))
def test_the_fingerprint_changes_with_any_label(part: int, place: int) -> None:
    splits = list(SPLITS)
    splits[part] = replace(splits[part], targets=changed(splits[part].targets, place))
    assert data_of(*splits).fingerprint != data_of(*SPLITS).fingerprint


def test_the_fingerprint_changes_when_an_image_moves_to_another_split() -> None:
    train, validation, test = SPLITS
    fewer = train[torch.arange(11)]
    more = Split(
        torch.cat((train.images[11:], validation.images)),
        torch.cat((train.targets[11:], validation.targets)),
    )
    assert data_of(fewer, more, test).fingerprint != data_of(*SPLITS).fingerprint


def test_the_fingerprint_of_given_images_is_the_same_on_every_machine() -> None:
    images = torch.arange(24, dtype=torch.uint8).view(3, 2, 2, 2)
    split = Split(images, torch.tensor([0, 1, 2]))
    assert data_of(split, split, split).fingerprint == "8db25564df98a2c7"


@given(st.integers(1, 40), st.integers(0, 99))
def test_mean_and_deviation_are_those_of_the_pixels_in_floating_point(
    count: int, seed: int
) -> None:
    images = random_split(count, seed).images
    pixels = images.double() / 255
    mean, std = channel_statistics(images)
    torch.testing.assert_close(
        torch.tensor(mean, dtype=torch.float64), pixels.mean((0, 2, 3)), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(
        torch.tensor(std, dtype=torch.float64),
        pixels.std((0, 2, 3), correction=0),
        atol=1e-9,
        rtol=0,
    )


def test_a_channel_without_contrast_has_a_deviation_one_can_divide_by() -> None:
    assert channel_statistics(torch.full((4, 1, 3, 3), 7, dtype=torch.uint8))[1] == (1.0,)


def test_the_shape_of_a_data_set_is_that_of_an_image() -> None:
    data = data_of(*SPLITS)
    assert data.input_shape == (2, 5, 5)


def test_a_crop_that_is_not_said_goes_by_the_size_of_the_images() -> None:
    split = random_split(size=32)
    source = Source("made", ("a", "b", "c"), in_memory(split.images, split.targets))
    assert image_data(source, (split, split, split)).crop == 4


def test_an_empty_split_is_refused_by_name() -> None:
    empty = random_split()[torch.arange(0)]
    with pytest.raises(DataError, match="data 'made': the validation split needs images"):
        data_of(random_split(), empty, random_split())


def test_images_of_another_shape_are_refused_by_split() -> None:
    with pytest.raises(DataError, match=r"got \(2, 4, 4\) in the test split"):
        data_of(random_split(), random_split(), random_split(size=4))


def test_a_label_without_a_class_is_refused() -> None:
    odd = replace(random_split(), targets=torch.full((12,), 3))
    with pytest.raises(DataError, match=r"labels must lie in 0\.\.2, but got 3\.\.3 in the train"):
        data_of(odd, random_split(), random_split())


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 1, 3, 3), torch.zeros(2, dtype=torch.int64), "uint8 tensor"),
        (torch.zeros(2, 3, 3, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64), "uint8"),
        (
            torch.zeros(2, 1, 3, 3, dtype=torch.uint8),
            torch.zeros(3, dtype=torch.int64),
            "one label",
        ),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), torch.zeros(2), "int64 tensor"),
    ],
)
def test_tensors_that_are_no_labelled_images_are_refused(
    images: Tensor, labels: Tensor, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Split(images, labels)


def masked(count: int = 6, seed: int = 0, classes: int = 3) -> Split:
    """Images of odd, unequal sides with masks of noise, a pixel of which is ignored."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 1, 5, 7), generator=generator, dtype=torch.uint8)
    masks = torch.randint(classes, (count, 5, 7), generator=generator, dtype=torch.uint8)
    masks[0, 0, 0] = IGNORED
    return Split(images, masks)


def masked_data(*splits: Split, classes: tuple[str, ...] = ("a", "b", "c")) -> ImageData:
    train, validation, test = splits
    whole = in_memory(train.images, train.targets)
    source = Source("made", classes, whole, crop=1, task="segmentation")
    return image_data(source, (train, validation, test))


MASKED = (masked(6, 1), masked(5, 2), masked(4, 3))


@given(st.integers(0, 2), st.integers(1, 4 * 35 - 1))
def test_the_fingerprint_changes_with_any_pixel_of_a_mask(part: int, place: int) -> None:
    splits = list(MASKED)
    splits[part] = replace(splits[part], targets=changed(splits[part].targets, place))
    assert masked_data(*splits).fingerprint != masked_data(*MASKED).fingerprint


def test_a_data_set_with_masks_names_its_task_and_counts_their_bytes() -> None:
    data = masked_data(*MASKED)
    assert data.task == "segmentation"
    assert data.train.has_masks
    assert data.train.nbytes == 2 * 6 * 35


def test_rows_of_a_split_keep_their_masks() -> None:
    rows = torch.tensor([3, 1])
    found = MASKED[0][rows]
    assert torch.equal(found.targets, MASKED[0].targets[[3, 1]])
    assert torch.equal(found.images, MASKED[0].images[[3, 1]])


def test_a_mask_of_a_pixel_without_a_class_is_refused() -> None:
    with pytest.raises(DataError, match=r"classes in 0\.\.1, or 255 .*, but got 2 in the train"):
        masked_data(*MASKED, classes=("a", "b"))


def test_masks_that_are_all_ignored_are_refused() -> None:
    empty = replace(MASKED[1], targets=torch.full((5, 5, 7), IGNORED, dtype=torch.uint8))
    with pytest.raises(DataError, match="those of the validation split are all 255"):
        masked_data(MASKED[0], empty, MASKED[2])


@pytest.mark.parametrize(
    "masks", [torch.zeros(2, 3, 4).byte(), torch.zeros(2, 3, 3, dtype=torch.int64)]
)
def test_masks_of_another_size_or_kind_are_refused(masks: Tensor) -> None:
    with pytest.raises(DataError, match=r"; a uint8 tensor \(2, 3, 3\), one mask an image"):
        Split(torch.zeros(2, 1, 3, 3, dtype=torch.uint8), masks)


@given(st.integers(1, 150), st.integers(0, 9))
def test_pixels_are_counted_by_image_and_class(count: int, seed: int) -> None:
    split = masked(count, seed)
    found = pixels_by_class(split.targets, 3)
    wanted = torch.stack([(split.targets == each).flatten(1).sum(1) for each in range(3)], 1)
    assert torch.equal(found, wanted)


def boxed(*boxes: tuple[float, ...]) -> Split:
    """Return one image of 6 x 8 pixels with boxes, and one without."""
    none = (NO_BOX,) * BOX
    targets = torch.tensor([[*boxes, none], [none] * (len(boxes) + 1)], dtype=torch.float32)
    return Split(torch.zeros(2, 1, 6, 8, dtype=torch.uint8), targets)


def test_boxes_are_targets_with_a_class() -> None:
    split = boxed((0, 1, 8, 6, 2))
    assert (split.has_boxes, split.has_masks, len(split)) == (True, False, 2)
    check_splits("boxes", ("a", "b", "c"), {"training": split})


@pytest.mark.parametrize(
    "box",
    [
        (3, 1, 3, 5, 0),
        (5, 1, 3, 5, 0),
        (0, 0, 9, 5, 0),
        (-2, 0, 5, 5, 0),
        (0, 0, 5, 5, 3),
        (0, 0, 5, 5, 0.5),
        (0, 0, 5, 5, -1),
        (0, 0, float("nan"), 5, 0),
        (0, 0, 5, float("inf"), 0),
    ],
    ids=str,
)
def test_boxes_without_an_area_beyond_the_image_or_without_a_class_are_refused(
    box: tuple[float, ...],
) -> None:
    with pytest.raises(DataError, match=r"boxes must lie in their image of 8x6 pixels .* but got"):
        check_splits("boxes", ("a", "b", "c"), {"training": boxed((0, 0, 5, 5, 1), box)})


def test_a_split_without_boxes_is_refused() -> None:
    with pytest.raises(DataError, match="images must have boxes, but those of the training split"):
        check_splits("boxes", ("a",), {"training": boxed()})


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 3, 5), (2, 5)], ids=str)
def test_boxes_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"or a float32 tensor \(2, boxes, 5\), but got"):
        Split(torch.zeros(2, 1, 6, 8, dtype=torch.uint8), torch.zeros(shape))


def test_boxes_are_padded_to_the_most_and_joined() -> None:
    few, more = padded([[(0, 0, 1, 1, 0)], []]), padded([[(0, 0, 2, 2, 1)] * 3], 2)
    assert (few.shape, more.shape) == ((2, 1, BOX), (1, 3, BOX))
    assert joined((few, more)).shape == (3, 3, BOX)
    assert joined((few, more))[1].eq(NO_BOX).all()
    assert torch.equal(joined((torch.arange(2), torch.arange(3))), torch.tensor([0, 1, 0, 1, 2]))

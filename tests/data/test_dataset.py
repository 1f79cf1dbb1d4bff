from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

from neptune_nas.data.dataset import tensors_of
from neptune_nas.data.load import load_data
from neptune_nas.data.tensors import save_tensors
from neptune_nas.errors import DataError


class Made(Dataset[Any]):
    """A dataset of six items, each made by a function of its number."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        return self.make(index)


def test_pil_images_become_their_pixels() -> None:
    made = Made(lambda i: (Image.new("RGB", (5, 4), (i, 10 * i, 200)), i % 2))
    images, labels = tensors_of(made)
    assert images.shape == (6, 3, 4, 5)
    assert images[3, :, 0, 0].tolist() == [3, 30, 200]
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_of_sixteen_bits_a_pixel_the_upper_eight_are_kept() -> None:
    pixels = np.array([[0, 13_107], [40_000, 65_535]], dtype=np.uint16)
    images, _ = tensors_of(Made(lambda _: (Image.fromarray(pixels), 0)))
    assert images[0].tolist() == [[0, 51], [156, 255]]


def test_a_pil_image_of_numbers_without_a_range_is_refused() -> None:
    made = Made(lambda _: (Image.fromarray(np.ones((2, 2), dtype=np.float32)), 0))
    with pytest.raises(DataError, match="an image must have 8 or 16 bits per channel"):
        tensors_of(made)


def test_gray_pil_images_stay_gray() -> None:
    images, _ = tensors_of(Made(lambda i: (Image.new("L", (5, 4), i), 0)))
    assert images.shape == (6, 4, 5)
    assert {*images[4].flatten().tolist()} == {4}


def test_tensors_are_taken_as_they_are() -> None:
    whole, classes = torch.rand(6, 1, 4, 4), torch.arange(6) % 3
    images, labels = tensors_of(TensorDataset(whole, classes))
    assert torch.equal(images, whole)
    assert torch.equal(labels, classes)


def test_a_dataset_is_saved_and_searched_by_name(tmp_path: Path) -> None:
    made = Made(lambda i: (Image.new("RGB", (5, 4), (i, 0, 0)), i % 2))
    other = Made(lambda i: (Image.new("RGB", (5, 4), (i, 1, 0)), i % 2))
    file = tmp_path / "made.safetensors"
    data = load_data(save_tensors(file, tensors_of(made), test=tensors_of(other)))
    assert data.input_shape == (3, 4, 5)
    assert len(data.test) == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: torch.zeros(3, 4, 4), "must be pairs .* item 0 is Tensor"),
        (lambda _: (torch.zeros(3, 4, 4), "cat"), "must be pairs .* item 0 is tuple"),
        (lambda i: (torch.zeros(3, 4 + i // 5, 4), 0), r"item 5 is torch\.float32 \(3, 5, 4\)"),
        (lambda i: (Image.new("L" if i else "RGB", (4, 4)), 0), "item 1 is torch.uint8"),
    ],
)
def test_items_that_are_no_images_alike_are_refused(
    make: Callable[[int], Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        tensors_of(Made(make))


def test_an_empty_dataset_is_refused() -> None:
    with pytest.raises(DataError, match="at least one image"):
        tensors_of(TensorDataset(torch.zeros(0, 3, 4, 4), torch.zeros(0)))

"""The conversion of a torch `Dataset` to tensors."""

from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from neptune_nas.data.pixels import check_range, upright
from neptune_nas.data.tensors import Labelled
from neptune_nas.errors import DataError


class _LabelledDataset(Protocol):
    """A map-style dataset, such as a `torch.utils.data.Dataset`: a length, and items by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def tensors_of(dataset: _LabelledDataset) -> Labelled:
    """Return all images and labels of a map-style dataset, for `save_tensors`.

    Items must be pairs of an image, from PIL or as a tensor `(C, H, W)` (uint8, or floating point
    in 0..1), and its label, a whole number. Leave random augmentation out of the transforms: the
    search augments by itself. Raises `DataError` for other items, or images of several shapes.
    """
    pairs = [_pair_of(dataset[index], index) for index in range(len(dataset))]
    if not pairs:
        raise DataError("a dataset needs at least one image, but has none.")
    images, labels = zip(*pairs, strict=True)
    for index, image in enumerate(images):
        if (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            raise DataError(
                f"a dataset's images must be alike, but item {index} is {image.dtype} "
                f"{tuple(image.shape)} and item 0 {images[0].dtype} {tuple(images[0].shape)}: "
                f"resize and convert them in its transform."
            )
    return torch.stack(images), torch.tensor(labels)


def _pair_of(item: Any, index: int) -> tuple[Tensor, int]:
    """Return one item's image as a tensor, and its label."""
    try:
        image, label = item
        return _image_tensor(image), int(label)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"a dataset's items must be pairs of an image and a whole number, but item {index} is "
            f"{type(item).__name__} ({error})."
        ) from error


def _image_tensor(image: Any) -> Tensor:
    """Return an image as a tensor `(C, H, W)`, or `(H, W)` if it is gray."""
    if not isinstance(image, Image.Image):
        return torch.as_tensor(image)
    check_range(image, "an image")
    flat = upright(image)
    pixels = torch.from_numpy(np.array(flat.convert("L" if flat.mode in ("1", "L") else "RGB")))
    return pixels if pixels.ndim == 2 else pixels.permute(2, 0, 1)

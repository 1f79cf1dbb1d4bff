"""Random augmentation of whole batches: indexing on uint8, floating point only at the end."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from neptune_nas.devices.device import FORMATS, send
from neptune_nas.devices.numerics import Layout


@dataclass(frozen=True, slots=True)
class Augment:
    """Padding before a random crop and side of a blanked square, in pixels; whether to mirror."""

    crop: int = 0
    flip: bool = False
    cutout: int = 0


class Channels(Protocol):
    """A data set, or a model that was trained on it, with one number per channel."""

    @property
    def mean(self) -> tuple[float, ...]:
        """The mean of the training images scaled to 0..1."""

    @property
    def std(self) -> tuple[float, ...]:
        """Their standard deviation."""


class Normalizer:
    """A map that scales the channels of a data set to zero mean and unit variance."""

    def __init__(
        self, data: Channels, device: torch.device, layout: Layout = "channels_last"
    ) -> None:
        def channels(values: tuple[float, ...]) -> Tensor:
            return torch.tensor(values, device=device).mul(255).view(1, -1, 1, 1)

        self.mean, self.scale = channels(data.mean), channels(data.std).reciprocal()
        self.format = FORMATS[layout]

    def __call__(self, images: Tensor) -> Tensor:
        """Return uint8 images `(N, C, H, W)` as normalised float32, in the memory layout."""
        floats = images.to(torch.float32, memory_format=self.format)
        return floats.sub_(self.mean).mul_(self.scale)


def random_views(
    images: Tensor, augment: Augment, normalize: Normalizer, generator: Generator
) -> Tensor:
    """Return images `(N, C, H, W)`, each augmented independently and normalised."""
    floats = normalize(_random_moves(images, augment, generator))
    return blank_squares(floats, augment.cutout, generator) if augment.cutout else floats


def _random_moves(images: Tensor, augment: Augment, generator: Generator) -> Tensor:
    """Return uint8 maps `(N, C, H, W)`, each randomly cropped and mirrored in all its channels."""
    if augment.crop:
        images = random_crops(images, augment.crop, generator)
    if augment.flip:
        mirrored = send(torch.rand(len(images), generator=generator).lt(0.5), images.device)
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)
    return images


def random_crops(images: Tensor, padding: int, generator: Generator) -> Tensor:
    """Return random windows of the images' size, cut after padding by `padding` black pixels."""
    count, _, height, width = images.shape
    windows = F.pad(images, [padding] * 4).unfold(2, height, 1).unfold(3, width, 1)
    moves = torch.randint(2 * padding + 1, (2, count), generator=generator)
    down, right = send(moves, images.device)
    return windows[torch.arange(count, device=images.device), :, down, right]


def blank_squares(images: Tensor, side: int, generator: Generator) -> Tensor:
    """Set one square of `side` pixels of normalised images `(N, C, H, W)` to the mean, 0.

    The square's centre lies anywhere in the image, so part of it may fall outside.
    """
    count, _, height, width = images.shape
    rows, columns = (
        torch.randint(size, (count, 1), generator=generator).add(-(side // 2))
        for size in (height, width)
    )
    inside_rows = _span_mask(rows, side, height).unsqueeze(2)
    inside_columns = _span_mask(columns, side, width).unsqueeze(1)
    blank = send((inside_rows & inside_columns).unsqueeze(1), images.device)
    return images.masked_fill_(blank, 0.0)


def _span_mask(starts: Tensor, side: int, size: int) -> Tensor:
    """Return the mask `(N, size)` of the `side` positions from each of `starts` `(N, 1)` on."""
    places = torch.arange(size)
    return (places >= starts) & (places < starts + side)

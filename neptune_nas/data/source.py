"""Where a data set's images come from, before they are split."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neptune_nas.data.image_file import ImageFile
from neptune_nas.data.splitting import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Labelled images as they come: `take(rows)` gives those rows as uint8 `(n, C, H, W)`.

    Either in memory, or in a file that holds them and no others, in this order.
    """

    labels: Tensor
    take: Callable[[Rows], Tensor | ImageFile]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A data set's training part, the others where it has them, and what its labels mean.

    `crop`, `flip`: the augmentation that suits it, see `ImageData`; None goes by their size.
    """

    name: str
    classes: tuple[str, ...]
    train: Part
    test: Part | None = None
    crop: int | None = None
    flip: bool = False
    validation: Part | None = None


def in_memory(images: Tensor, labels: Tensor) -> Part:
    """A part whose uint8 images `(N, C, H, W)` are at hand."""
    return Part(labels, lambda rows: images[torch.from_numpy(rows)])

"""The source of a data set's images, before they are split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from neptune_nas.data.image_file import ImageFile
from neptune_nas.data.splitting import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Images of a source with their targets: `take(rows)` gives images as uint8 `(n, C, H, W)`.

    They are in memory, or in a file that holds exactly these rows, in this order. `targets`: as in
    `Split`. `files`: the image file of each row, if it has one.
    """

    targets: Tensor
    take: Callable[[Rows], Tensor | ImageFile]
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The parts of a data set, of which only training is required, and its classes.

    `crop`, `flip`: suitable augmentation, see `ImageData`; None depends on the image size.
    `notes`: sentences on what was left out. `task`: of the targets.
    """

    name: str
    classes: tuple[str, ...]
    train: Part
    test: Part | None = None
    crop: int | None = None
    flip: bool = False
    validation: Part | None = None
    notes: tuple[str, ...] = ()
    task: str = "classification"


def in_memory(images: Tensor, targets: Tensor) -> Part:
    """Return a part with uint8 images `(N, C, H, W)` in memory."""
    return Part(targets, lambda rows: images[torch.from_numpy(rows)])

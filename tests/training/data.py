"""Small data that train in a fraction of a second, and networks for them."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neptune_nas.data.image_file import ImageFile
from neptune_nas.data.images import ImageData, Split, image_data
from neptune_nas.data.source import Source, in_memory
from neptune_nas.training.state import Epoch

CLASSES = ("dark", "light")


def easy_data(train: int = 60, crop: int = 0, flip: bool = False) -> ImageData:
    """Dark and light images of 6 x 6 pixels with noise: any network that trains gets them right."""
    splits = tuple(easy_split(count, seed) for seed, count in enumerate((train, 20, 20)))
    whole = in_memory(splits[0].images, splits[0].targets)
    source = Source("easy", CLASSES, whole, crop=crop, flip=flip)
    return image_data(source, (splits[0], splits[1], splits[2]))


def easy_split(count: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    noise = torch.randint(100, (count, 1, 6, 6), generator=generator)
    return Split((labels.view(-1, 1, 1, 1) * 100 + noise).byte(), labels)


def small_network(dropout: float = 0.0, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(64, 2),
        )


def weights(network: nn.Module) -> Tensor:
    """All parameters as one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def in_files(data: ImageData, folder: Path) -> ImageData:
    """Return the same data, their images mapped from files in `folder`."""
    train, validation, test = (
        in_file(split, folder / f"{i}.npy")
        for i, split in enumerate((data.train, data.validation, data.test))
    )
    return replace(data, train=train, validation=validation, test=test)


def in_file(split: Split, path: Path) -> Split:
    """Return the same split, its images mapped from a file."""
    np.save(path, split.images.numpy())
    file = ImageFile(path)
    return Split(file.mapped(), split.targets, file)


class Endless(Split):
    """A split that takes more memory than any machine has, by its own account."""

    @property
    def nbytes(self) -> int:
        return sys.maxsize


def endless(data: ImageData) -> ImageData:
    """Return the same data, streamed wherever holding their images would take memory."""
    train, validation, test = (
        Endless(split.images, split.targets, split.file)
        for split in (data.train, data.validation, data.test)
    )
    return replace(data, train=train, validation=validation, test=test)


def assert_same(one: Any, other: Any) -> None:
    """Equality to the last bit of tensors, records and whatever holds them, but for seconds."""
    if isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one.keys() - {"seconds"}:
            assert_same(one[name], other[name])
    elif isinstance(one, list | tuple):
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, Epoch):
        assert_same(asdict(one), asdict(other))
    else:
        assert one == other

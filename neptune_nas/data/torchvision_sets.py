"""The data sets that torchvision can read and download."""

from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.datasets import CIFAR10, CIFAR100, MNIST, FashionMNIST

from neptune_nas.data.source import Part, Source, in_memory
from neptune_nas.errors import DataError, first_line

_LARGEST = 2**28  # bytes of a file: five times the largest file of these data sets


@dataclass(frozen=True, slots=True)
class Known:
    """One of torchvision's classes, with suitable augmentation of its images."""

    create: Callable[..., Any]
    crop: int
    flip: bool


KNOWN = {
    "mnist": Known(MNIST, crop=2, flip=False),
    "fashion-mnist": Known(FashionMNIST, crop=2, flip=True),
    "cifar10": Known(CIFAR10, crop=4, flip=True),
    "cifar100": Known(CIFAR100, crop=4, flip=True),
}


def load_torchvision(name: str, folder: Path) -> Source:
    """Return the data set `name` from `folder`, after downloading it if it is missing."""
    known = KNOWN[name]
    train, test = (_obtain(name, folder, train=part) for part in (True, False))
    parts = _part_of(name, train), _part_of(name, test)
    return Source(name, tuple(train.classes), *parts, known.crop, known.flip)


def is_there(name: str, folder: Path) -> bool:
    """Return whether a data set is in `folder`; raises `DataError` if its files are damaged."""
    return _read(name, folder, train=False) is not None  # checks the files of both splits


def _obtain(name: str, folder: Path, *, train: bool) -> Any:
    """Return torchvision's data set from `folder`, or else after a silent download.

    Raises `DataError` if the data set is incomplete, or neither present nor available.
    """
    found = _read(name, folder, train=train)
    if found is not None:
        return found
    create = KNOWN[name].create
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            return create(folder, train=train, download=True)
    except Exception as error:  # a download can fail in many ways
        raise DataError(
            f"data '{name}': not found in {folder}, and the download failed ({first_line(error)}): "
            f"connect to the internet, or name the folder that holds it as `data_dir` "
            f"(--data-dir)."
        ) from error


def _read(name: str, folder: Path, *, train: bool) -> Any:
    """Return torchvision's data set from `folder`; None if it is not there."""
    _check_sizes(name, folder)
    try:
        return KNOWN[name].create(folder, train=train, download=False)
    except Exception as error:  # "not found", or any error of its parsers
        if "not found" in str(error):
            return None
        raise DataError(
            f"data '{name}': the files in {folder} are incomplete ({first_line(error)}): "
            f"remove them to download them again, or name another folder as `data_dir` "
            f"(--data-dir)."
        ) from error


def _check_sizes(name: str, folder: Path) -> None:
    """Refuse files that are far larger than any of these data sets has, before they are read."""
    for file in sorted(folder.glob("*MNIST/*/*")):
        if file.is_file() and file.stat().st_size > _LARGEST:
            raise DataError(
                f"data '{name}': {file} must have at most {_LARGEST:,} bytes, but has "
                f"{file.stat().st_size:,}: remove it to download it again."
            )


def _part_of(name: str, found: Any) -> Part:
    """Return the pixels `(N, C, H, W)` and labels of one of torchvision's data sets."""
    if len(found.data) != len(found.targets):
        raise DataError(
            f"data '{name}': there must be one label per image, but {found.root} has "
            f"{len(found.targets):,} labels for {len(found.data):,} images: remove the files to "
            f"download them again."
        )
    pixels = torch.as_tensor(found.data)
    images = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
    labels: Tensor = torch.as_tensor(found.targets).long()
    return in_memory(images, labels)

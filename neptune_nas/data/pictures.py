"""Single images, made into what a network was trained on, as those of a folder are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor

from neptune_nas.data.folder import SUFFIXES, Form, form_of, opened, pixels_of
from neptune_nas.errors import DataError

READABLE = (1, 3)  # channels: gray and RGB


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as a network reads it: `pixels` uint8 `(C, H, W)`; its file has `channels`."""

    pixels: Tensor
    channels: int


def pictures_at(path: Path) -> list[Path]:
    """The image files below a folder, in order, or the file itself.

    Raises `DataError` for a folder without any.
    """
    if not path.is_dir():
        return [path]
    files = sorted((file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES), key=str)
    if not files:
        raise DataError(f"data: {path} has no image ({', '.join(sorted(SUFFIXES))}): add some.")
    return files


def read_picture(file: Path, shape: tuple[int, int, int]) -> Picture:
    """The image in `file`, made into `shape` `(C, H, W)`: scaled and cut to the middle.

    Raises `DataError` where it cannot be read whole, or a network reads neither gray nor RGB.
    """
    channels, height, width = shape
    if channels not in READABLE:
        raise DataError(
            f"data: a network of {channels} channels cannot read {file}, since image files become "
            f"gray or RGB: call `Model.predict` with tensors."
        )
    if not file.is_file():
        raise DataError(f"data: {file} must be an image, but there is no such file.")
    with catch_warnings():
        simplefilter("ignore")  # PIL's, of odd metadata
        with opened(file) as image:
            own = form_of(image)  # before its pixels are read, which changes a palette
            pixels = pixels_of(image, file, Form(height, width, channels))
    return Picture(torch.from_numpy(pixels.copy()), own.channels)


def pictures(
    paths: Iterable[Path], shape: tuple[int, int, int]
) -> Iterator[tuple[Path, Picture | DataError]]:
    """The images at `paths`, folders included, or why one cannot be read."""
    for path in paths:
        try:
            files = pictures_at(path)
        except DataError as error:
            yield path, error
            continue
        yield from ((file, read_or_say(file, shape)) for file in files)


def read_or_say(file: Path, shape: tuple[int, int, int]) -> Picture | DataError:
    """The image, or why it cannot be read."""
    try:
        return read_picture(file, shape)
    except DataError as error:
        return error

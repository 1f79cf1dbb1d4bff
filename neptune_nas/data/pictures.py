"""Single images, made into what a network was trained on, as those of a folder are."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor

from neptune_nas.data.folder import SUFFIXES, Form, decode
from neptune_nas.errors import DataError

READABLE = (1, 3)  # channels: gray and RGB


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


def read_picture(file: Path, shape: tuple[int, int, int]) -> Tensor:
    """The image in `file` as uint8 of `shape` `(C, H, W)`, scaled and cut to the middle.

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
        pixels = decode(file, Form(height, width, channels))
    return torch.from_numpy(pixels.copy())


def pictures(
    paths: Iterable[Path], shape: tuple[int, int, int]
) -> Iterator[tuple[Path, Tensor | DataError]]:
    """The images at `paths`, folders included, each with its pixels or why it has none."""
    for path in paths:
        try:
            files = pictures_at(path)
        except DataError as error:
            yield path, error
            continue
        yield from ((file, read_or_say(file, shape)) for file in files)


def read_or_say(file: Path, shape: tuple[int, int, int]) -> Tensor | DataError:
    """The image's pixels, or why it has none."""
    try:
        return read_picture(file, shape)
    except DataError as error:
        return error

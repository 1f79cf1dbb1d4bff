"""Single images, converted to a network's input shape like those of a folder."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from neptune_nas.data.fitting import Box, Fitting
from neptune_nas.data.listing import Listing
from neptune_nas.data.pixels import (
    SUFFIXES,
    ImageFormat,
    form_of,
    open_image,
    pixels_of,
    quiet_metadata,
    unreadable,
    upright,
)
from neptune_nas.errors import DataError
from neptune_nas.text import counted

_READABLE = (1, 3)  # channels: gray and RGB


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as network input: `pixels` uint8 `(C, H, W)`.

    `channels`: those of its file. `size`: height and width of the file's image, upright.
    """

    pixels: Tensor
    channels: int
    size: tuple[int, int]

    def in_file(self, box: Box) -> Box:
        """Return a box of `pixels` in pixels of the file's image: left, top, right and bottom."""
        height, width = self.pixels.shape[1:]
        return Fitting(self.size, (height, width)).in_file(box)


def pictures_at(path: Path) -> tuple[list[Path], tuple[str, ...]]:
    """Return the image files below a folder, in order, or the file itself.

    Also returns sentences on the files left out. Raises `DataError` for a folder without images.
    """
    if not os.path.isdir(path):
        return [path], ()
    listing = Listing(path)
    files = listing.files(path)
    if not files:
        raise DataError(f"{path} has no image ({', '.join(sorted(SUFFIXES))}): add some.")
    return files, listing.sentences()


def read_picture(file: Path, shape: tuple[int, int, int]) -> Picture:
    """Return the image in `file`, scaled and centre-cropped to `shape` `(C, H, W)`.

    Raises `DataError` if it cannot be read in full, or the shape is neither gray nor RGB.
    """
    channels, height, width = shape
    if channels not in _READABLE:
        raise DataError(
            f"a network of {channels} channels cannot read {file}, since image files are "
            f"read as gray or RGB: call `Model.predict` with tensors."
        )
    if not os.path.isfile(file):
        is_there = os.path.exists(file)
        what = "must be an image, but is not a file" if is_there else "does not exist"
        raise DataError(f"{file} {what}: correct the path.")
    with quiet_metadata(), open_image(file) as image:
        own = form_of(image)  # before its pixels are read, as that changes a palette
        pixels = pixels_of(image, file, ImageFormat(height, width, channels))
    return Picture(torch.from_numpy(pixels.copy()), own.channels, (own.height, own.width))


def pictures(
    paths: Iterable[Path], shape: tuple[int, int, int], say: Callable[[str], object]
) -> Iterator[tuple[Path, Picture | DataError]]:
    """Yield the images at or below `paths`, each with its file, or the error of reading it.

    `say` is called with a sentence for each folder in which something was left out.
    """
    for path in paths:
        try:
            files, notes = pictures_at(path)
        except DataError as error:
            yield path, error
            continue
        for note in notes:
            say(note)
        yield from ((file, _read_or_say(file, shape)) for file in files)


def read_pictures(
    files: Sequence[Path], shape: tuple[int, int, int]
) -> Iterator[Picture | DataError]:
    """Yield the image in each file, or the error of reading it, with one thread per core."""
    with quiet_metadata(), ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(partial(_read_or_say, shape=shape), files)


def thumbnail(file: Path, side: int) -> Image.Image:
    """Return the image in `file`, gray or RGB, scaled down to at most `side` pixels a side.

    Raises `DataError` if it cannot be read.
    """
    with quiet_metadata(), open_image(file) as image:
        try:
            whole = upright(image, side)
            small = whole.convert("L" if whole.mode in ("1", "L") else "RGB")
            small.thumbnail((side, side))
        except Exception as error:  # files can be broken in many ways
            raise unreadable(file, error) from error
    return small


def recoloured_text(count: int, channels: int) -> str:
    """Return a note on images that were converted to a network's channels."""
    gray = channels == 1
    return (
        f"Converted {counted(count, 'image')} from {'colour' if gray else 'gray'} to "
        f"{'gray' if gray else 'RGB'}, which the network was trained on."
    )


def _read_or_say(file: Path, shape: tuple[int, int, int]) -> Picture | DataError:
    """Return the image, or the error of reading it."""
    try:
        return read_picture(file, shape)
    except DataError as error:
        return error

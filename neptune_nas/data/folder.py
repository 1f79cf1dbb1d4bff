"""Folders of images, one per class, decoded once in threads into one uint8 array per split."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import sha256
from math import ceil
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neptune_nas.data.image_file import ImageFile
from neptune_nas.data.layout import TEST, TRAIN, VALIDATION, Classes, layout_of
from neptune_nas.data.listing import Listing
from neptune_nas.data.names import SIZE, TIMES
from neptune_nas.data.pixels import (
    BrokenImageError,
    ImageFormat,
    decode,
    header_of,
    most_pixels,
    quiet_metadata,
    unreadable,
)
from neptune_nas.data.source import Part, Source
from neptune_nas.data.splitting import Rows
from neptune_nas.errors import DataError
from neptune_nas.text import utf8_text, visible

LOOKED_AT = 1000  # opening a file takes about half as long as decoding a small image
_MIXED_SIZE = 64  # pixels per side, where images differ in size and none was requested
_LARGEST_SIZE = 4096  # pixels per side: beyond, a few images fill the memory
_NAMED = 10  # files named in a message; further ones are counted
_LEAST = ImageFormat(1, 1, 1)  # to read an image in full and keep next to nothing


def load_folder(text: str, cache: Path | None) -> Source:
    """Return the images below `PATH` or `PATH@SIZE`, in splits (see `layout_of`) or not yet split.

    Images of equal size are left unchanged. With `@SIZE`, or where sizes differ (then 64), each is
    scaled bilinearly until its shorter side has that many pixels, and cropped to the middle square;
    with `@WIDTHxHEIGHT`, it is scaled to fill that rectangle, and cropped to its middle.
    Images stay gray if all are, transparency is dropped, and of 16 bits per pixel the upper 8 are
    kept. Of many images, `LOOKED_AT` evenly spaced ones decide, and the others are made to fit.
    `cache`: the folder of decoded images, to be memory-mapped.
    """
    path, size = parse(text)
    check_folder(path, text)
    listing = Listing(path)
    layout = layout_of(path, listing)
    classes = tuple(layout[TRAIN])
    found = {split: _files_below(text, split, layout, listing) for split in layout}
    every = tuple(file for files, _ in found.values() for file in files)
    parts = {
        split: Part(labels, Pixels(files, every, size, cache).take, files)
        for split, (files, labels) in found.items()
    }
    return Source(
        name=f"folder:{text}",
        classes=tuple(map(utf8_text, classes)),
        train=parts[TRAIN],
        test=parts.get(TEST),
        flip=True,
        validation=parts.get(VALIDATION),
        notes=listing.sentences(),
    )


Side = int | tuple[int, int]
"""The size of images: the side of a square, or a height and a width."""


def parse(text: str) -> tuple[Path, Side | None]:
    """Split `PATH@SIZE` or `PATH@WIDTHxHEIGHT`.

    The `@` is part of the path if no whole number follows, or if the whole text is an existing
    path.

    >>> parse("pictures@64")[1], parse("pictures@64x48")[1], parse("pictures@x")[1]
    (64, (48, 64), None)
    """
    path, mark, digits = text.rpartition(SIZE)
    sides = digits.split(TIMES)
    is_size = bool(mark) and len(sides) <= 2 and all(map(str.isdecimal, sides))
    sized = is_size and not os.path.lexists(os.path.expanduser(text))
    path, sides = (path, sides) if sized else (text, [])
    if not path:
        raise DataError(
            f"data 'folder:{text}': it needs the path of a folder, as in folder:pictures."
        )
    for side in map(int, sides):
        if not 1 <= side <= _LARGEST_SIZE:
            raise DataError(
                f"data 'folder:{text}': the size after @ must be 1 to {_LARGEST_SIZE} pixels, "
                f"but got {side}."
            )
    whole = Path(os.path.expanduser(path))
    if len(sides) == 2:
        return whole, (int(sides[1]), int(sides[0]))
    return whole, int(sides[0]) if sides else None


def check_folder(path: Path, text: str) -> None:
    """Refuse a path that is not a folder, or is the root folder."""
    if not os.path.isdir(path):
        is_file = os.path.exists(path)
        what = "is a file: name its folder" if is_file else "does not exist: correct the path"
        raise DataError(f"data 'folder:{text}': {path} must be a folder, but {what}.")
    if os.path.realpath(path) == os.path.dirname(os.path.realpath(path)):
        raise DataError(
            f"data 'folder:{text}': {path} must be a folder of images, but is the root folder: "
            f"name the folder that holds the images."
        )


def _files_below(
    text: str, split: str, layout: dict[str, Classes], listing: Listing
) -> tuple[tuple[Path, ...], Tensor]:
    """Return all image files of a split, sorted by class name, and their labels.

    Refuses a class without a training image.
    """
    files: list[list[Path]] = []
    for name in layout[TRAIN]:
        folder = layout[split].get(name)
        files.append(listing.files(folder) if folder else [])
        if split == TRAIN and not files[-1]:
            raise DataError(
                f"data 'folder:{text}': the class '{visible(name)}' has no image: "
                f"add some, or remove its folder."
            )
    labels = torch.repeat_interleave(torch.tensor([len(members) for members in files]))
    return tuple(file for members in files for file in members), labels


def natural_side(text: str) -> tuple[int, bool]:
    """Return the median of the shorter sides of a folder's images, and whether all sizes are equal.

    In pixels, by `LOOKED_AT` evenly spaced images. Raises `DataError` as `load_folder` does.
    """
    path, _ = parse(text)
    check_folder(path, text)
    return _side_once(path.absolute(), text)


@lru_cache(maxsize=2)
def _side_once(path: Path, text: str) -> tuple[int, bool]:
    """Return the natural side of a folder at an absolute path; its headers are read only once."""
    listing = Listing(path)
    files, _ = _files_below(text, TRAIN, layout_of(path, listing), listing)
    with quiet_metadata():
        forms = [header_of(file) for file in files[:: ceil(len(files) / LOOKED_AT)]]
    sides = sorted(min(form.height, form.width) for form in forms)
    return sides[len(sides) // 2], len({(form.height, form.width) for form in forms}) == 1


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoder of `files` into the common form of `every` image of the folder.

    `channels`: of the form (default: those of the images).
    """

    files: tuple[Path, ...]
    every: tuple[Path, ...]
    size: Side | None
    cache: Path | None
    channels: int | None = None

    @property
    def form(self) -> ImageFormat:
        """The common form; raises `DataError` as `take` does."""
        try:
            form = _common_form(self.every, self.size)
        except BrokenImageError:
            _refuse_broken(self.every)
            raise
        return form if self.channels is None else replace(form, channels=self.channels)

    def take(self, rows: Rows) -> Tensor | ImageFile:
        """Return the images of `rows` as uint8 `(n, C, H, W)`, or the file in the cache with them.

        Raises `DataError` naming all unreadable files of the folder, whatever the rows.
        """
        with quiet_metadata():
            try:
                return self._read_rows(rows)
            except BrokenImageError:
                _refuse_broken(self.every)
                raise

    def _read_rows(self, rows: Rows) -> Tensor | ImageFile:
        files = [self.files[row] for row in rows]
        form = self.form
        if self.cache is None:
            return torch.from_numpy(_gather_images(files, form))
        stored = self.cache / "folders" / f"{_listing_hash(files, form)}.npy"
        if not stored.is_file():
            _write_images(files, form, stored)
        return ImageFile(stored)


def _refuse_broken(files: Sequence[Path]) -> None:
    """Refuse files that are not complete images, all in one message; raises `DataError`."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        broken = [
            file for file, bad in zip(files, threads.map(_is_broken, files), strict=True) if bad
        ]
    if len(broken) > 1:
        more = f" and {len(broken) - _NAMED:,} more" if len(broken) > _NAMED else ""
        raise DataError(
            f"data: {len(broken):,} files must be intact images of 8 or 16 bits a channel, of at "
            f"most {most_pixels():,} pixels, but are not: remove, repair, shrink or convert "
            f"{', '.join(map(str, broken[:_NAMED]))}{more}."
        )


def _is_broken(file: Path) -> bool:
    """Return whether a file's pixels cannot be read."""
    try:
        decode(file, _LEAST)
    except BrokenImageError:
        return True
    return False


def _decode_all(files: Sequence[Path], form: ImageFormat) -> Iterator[NDArray[np.uint8]]:
    """Yield the images in `files`, in order, decoded with one thread per core."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(partial(decode, form=form), files)


def _gather_images(files: Sequence[Path], form: ImageFormat) -> NDArray[np.uint8]:
    """Return the images in `files` as an array `(n, C, H, W)` in memory."""
    images = room_for(len(files), form)
    for i, image in enumerate(_decode_all(files, form)):
        images[i] = image
    return images


def room_for(count: int, form: ImageFormat) -> NDArray[np.uint8]:
    """Return an empty array for this many images; raises `DataError` if it exceeds memory."""
    try:
        return np.empty((count, form.channels, form.height, form.width), dtype=np.uint8)
    except MemoryError as error:
        raise DataError(
            f"data: {count} images of {form.height}x{form.width} pixels must fit into memory, "
            f"but do not: use fewer pixels, as in folder:PATH@64, or set `data_dir` (--data-dir) "
            f"to a folder from which they are read as needed."
        ) from error


@lru_cache(maxsize=1)
def _common_form(files: tuple[Path, ...], size: Side | None) -> ImageFormat:
    """Return the form for all `files`: their own if they agree and no `size` is requested."""
    forms = {header_of(file) for file in files[:: ceil(len(files) / LOOKED_AT)]}
    channels = max(form.channels for form in forms)
    sizes = {(form.height, form.width) for form in forms}
    if size is None and len(sizes) == 1:
        return ImageFormat(*sizes.pop(), channels)
    side = size or _MIXED_SIZE
    height, width = (side, side) if isinstance(side, int) else side
    return ImageFormat(height, width, channels)


def _listing_hash(files: Iterable[Path], form: ImageFormat) -> str:
    """Return a hash of the files' paths, sizes in bytes and modification times, and of the form."""
    digest = sha256(repr(form).encode())
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise unreadable(file, error) from error
        path = os.fsencode(os.path.abspath(file))
        digest.update(path + f"|{status.st_size}|{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _write_images(files: Sequence[Path], form: ImageFormat, stored: Path) -> None:
    """Write the images of `files` atomically.

    They are written one by one, so that they need not fit into memory; and not by a memory map,
    which kills the process if the disk is full.
    """
    shape = (len(files), form.channels, form.height, form.width)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    part = None
    try:
        stored.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=stored.parent, suffix=".part", delete=False) as file:
            part = Path(file.name)
            np.lib.format.write_array_header_1_0(file, header)
            for image in _decode_all(files, form):
                file.write(image.tobytes())
        part.replace(stored)
    except OSError as error:
        raise DataError(
            f"data: decoded images cannot be kept in {stored.parent} ({error.strerror}): "
            f"name another folder as `data_dir` (--data-dir)."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)

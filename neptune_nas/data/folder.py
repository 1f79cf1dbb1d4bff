"""Folders of images, one per class, decoded once in threads into one uint8 array per split."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from math import ceil
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from neptune_nas.data.image_file import ImageFile
from neptune_nas.data.source import Part, Source
from neptune_nas.data.splitting import Rows
from neptune_nas.errors import DataError

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_LOOKED_AT = 1000  # opening a file takes about half as long as decoding a small image
_MIXED_SIZE = 64  # pixels per side, where images differ in size and none was requested
_LARGEST_SIZE = 4096  # pixels per side: beyond, a few images fill the memory
_WORDS = {"I;16", "I;16B", "I;16L", "I;16N"}  # PIL's modes of 16 bits per pixel
_UNBOUNDED = {"I", "F"}  # PIL's modes of 32 bits per pixel, without a defined white
_GRAY = {"1", "L", "LA", *_WORDS}


_NAMED = 10  # files named in a message; further ones are counted


class _BrokenImageError(DataError):
    """An image file whose pixels cannot be read."""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """The common channels, height and width of a folder's images."""

    height: int
    width: int
    channels: int


_LEAST = ImageFormat(1, 1, 1)  # to read an image in full and keep next to nothing


def load_folder(text: str, cache: Path | None) -> Source:
    """Return the images below `PATH` or `PATH@SIZE`, in `train/` and `test/` or yet to split.

    Images of equal size are left unchanged. With `@SIZE`, or where sizes differ (then 64), each is
    scaled bilinearly until its shorter side has that many pixels, and cropped to the middle square.
    Images stay gray if all are, transparency is dropped, and of 16 bits per pixel the upper 8 are
    kept. Of many images, `_LOOKED_AT` evenly spaced ones decide, and the others are made to fit.
    `cache`: the folder of decoded images, to be memory-mapped.
    """
    path, size = parse(text)
    parts = [path / "train", path / "test"] if (path / "train").is_dir() else [path]
    parts = [part for part in parts if part.is_dir()]
    if not parts:
        raise DataError(f"data 'folder:{text}': {path} must be a folder, but there is none.")
    classes = _class_names(parts[0])
    found = [_files_below(part, classes) for part in parts]
    every = tuple(file for files, _ in found for file in files)
    train, *test = [_part_of(Pixels(files, every, size, cache), labels) for files, labels in found]
    return Source(f"folder:{text}", classes, train, test[0] if test else None, flip=True)


def parse(text: str) -> tuple[Path, int | None]:
    """Split `PATH@SIZE`; an `@` without a whole number after it belongs to the path."""
    path, mark, digits = text.rpartition("@")
    sized = bool(mark) and digits.isdecimal()
    path, size = (path, int(digits)) if sized else (text, None)
    if not path:
        raise DataError(f"data 'folder:{text}': needs the path of a folder, as in folder:pictures.")
    if size is not None and not 1 <= size <= _LARGEST_SIZE:
        raise DataError(
            f"data 'folder:{text}': the size after @ must be 1 to {_LARGEST_SIZE} pixels, "
            f"but got {size}."
        )
    return Path(path).expanduser(), size


def _class_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the class folders below `folder`, in order."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if len(names) < 2:
        raise DataError(
            f"data 'folder:{folder}': needs at least two folders of images, one per class, "
            f"but got {len(names)} in {folder}."
        )
    return tuple(names)


def _files_below(folder: Path, classes: tuple[str, ...]) -> tuple[tuple[Path, ...], Tensor]:
    """Return all image files below `folder`, by class in the order of names, and their labels."""
    if _class_names(folder) != classes:
        odd = sorted({*_class_names(folder)} ^ {*classes})
        raise DataError(
            f"data 'folder:{folder}': train and test must hold the same classes, "
            f"but only one of them has {', '.join(odd)}."
        )
    files = [
        sorted((f for f in (folder / name).rglob("*") if f.suffix.lower() in SUFFIXES), key=str)
        for name in classes
    ]
    for name, members in zip(classes, files, strict=True):
        if not members:
            raise DataError(
                f"data 'folder:{folder}': the class '{name}' has no image: "
                f"add some ({', '.join(sorted(SUFFIXES))}) or remove its folder."
            )
    labels = torch.repeat_interleave(torch.tensor([len(members) for members in files]))
    return tuple(file for members in files for file in members), labels


def _part_of(pixels: "Pixels", labels: Tensor) -> Part:
    """Return the part that decodes its images when they are taken."""
    return Part(labels, pixels.take)


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoder of `files` into the common form of `every` image of the folder."""

    files: tuple[Path, ...]
    every: tuple[Path, ...]
    size: int | None
    cache: Path | None

    def take(self, rows: Rows) -> Tensor | ImageFile:
        """Return the images of `rows` as uint8 `(n, C, H, W)`, or the file in the cache with them.

        Raises `DataError` naming all unreadable files of the folder, whatever the rows.
        """
        try:
            return self._taken(rows)
        except _BrokenImageError:
            _refuse_broken(self.every)
            raise

    def _taken(self, rows: Rows) -> Tensor | ImageFile:
        files = [self.files[row] for row in rows]
        form = _common_form(self.every, self.size)
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
            f"data: {len(broken):,} files must be intact images of 8 or 16 bits a channel, but are "
            f"not: remove, repair or convert {', '.join(map(str, broken[:_NAMED]))}{more}."
        )


def _is_broken(file: Path) -> bool:
    """Return whether a file's pixels cannot be read."""
    try:
        decode(file, _LEAST)
    except _BrokenImageError:
        return True
    return False


def _decoded(files: Sequence[Path], form: ImageFormat) -> Iterator[NDArray[np.uint8]]:
    """Yield the images in `files`, in order, decoded with one thread per core."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from threads.map(partial(decode, form=form), files)


def _gather_images(files: Sequence[Path], form: ImageFormat) -> NDArray[np.uint8]:
    """Return the images in `files` as an array `(n, C, H, W)` in memory."""
    images = room_for(len(files), form)
    for i, image in enumerate(_decoded(files, form)):
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
def _common_form(files: tuple[Path, ...], size: int | None) -> ImageFormat:
    """Return the form for all `files`: their own if they agree and no `size` is requested."""
    forms = {_header(file) for file in files[:: ceil(len(files) / _LOOKED_AT)]}
    channels = max(form.channels for form in forms)
    sizes = {(form.height, form.width) for form in forms}
    if size is None and len(sizes) == 1:
        return ImageFormat(*sizes.pop(), channels)
    side = size or _MIXED_SIZE
    return ImageFormat(side, side, channels)


def _header(file: Path) -> ImageFormat:
    """Return the form of one image, without decoding its pixels."""
    with open_image(file) as image:
        return form_of(image)


def form_of(image: Image.Image) -> ImageFormat:
    """Return the form of an opened image."""
    return ImageFormat(image.height, image.width, 1 if _is_gray(image) else 3)


def _is_gray(image: Image.Image) -> bool:
    """Return whether an image has no colour: by its mode or, for a PNG, by its palette."""
    palette = image.palette
    if image.mode != "P" or palette is None or palette.rawmode not in (None, "RGB"):
        return image.mode in _GRAY
    colors = bytes(palette.palette)
    return colors[::3] == colors[1::3] == colors[2::3]


def decode(file: Path, form: ImageFormat) -> NDArray[np.uint8]:
    """Return the pixels `(C, H, W)` of one image, scaled and cropped to `form`."""
    with open_image(file) as image:
        return pixels_of(image, file, form)


def pixels_of(image: Image.Image, file: Path, form: ImageFormat) -> NDArray[np.uint8]:
    """Return the pixels `(C, H, W)` of an opened image, scaled and cropped to `form`."""
    try:
        fitted = ImageOps.fit(
            _eight_bits(image).convert("L" if form.channels == 1 else "RGB"),
            (form.width, form.height),
            Image.Resampling.BILINEAR,
        )
    except Exception as error:  # files can be broken in many ways
        raise _unreadable(file) from error
    pixels = np.asarray(fitted)
    return pixels[None] if form.channels == 1 else pixels.transpose(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the image in 8 bits per channel: PIL's own `convert` clips 16-bit pixels to white."""
    if image.mode not in _WORDS:
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def open_image(file: Path) -> Image.Image:
    """Return the image in `file`, with its pixels not yet read."""
    try:
        image = Image.open(file)
    except Exception as error:  # of PIL's parsers: OSError, ValueError, SyntaxError and more
        raise _unreadable(file) from error
    if image.mode in _UNBOUNDED:
        image.close()
        raise _BrokenImageError(
            f"data: {file} must have 8 or 16 bits a channel, but has numbers without a range "
            f"(PIL's mode {image.mode}): convert it."
        )
    return image


def _unreadable(file: Path) -> _BrokenImageError:
    """Return the error for a file that is not a complete image."""
    return _BrokenImageError(
        f"data: {file} must be an intact image, but cannot be read: remove or repair it."
    )


def _listing_hash(files: Iterable[Path], form: ImageFormat) -> str:
    """Return a hash of the files' paths, sizes in bytes and modification times, and of the form."""
    digest = sha256(repr(form).encode())
    for file in files:
        status = file.stat()
        digest.update(f"{os.path.abspath(file)}|{status.st_size}|{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _write_images(files: Sequence[Path], form: ImageFormat, stored: Path) -> None:
    """Write the images of `files` atomically.

    They are written one by one, so that they need not fit into memory; and not by a memory map,
    which kills the process if the disk is full.
    """
    shape = (len(files), form.channels, form.height, form.width)
    _header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    part = None
    try:
        stored.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=stored.parent, suffix=".part", delete=False) as file:
            part = Path(file.name)
            np.lib.format.write_array_header_1_0(file, _header)
            for image in _decoded(files, form):
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

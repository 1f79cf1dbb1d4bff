"""The pixels of one image file: what PIL opens, upright, in 8 bits a channel, cut to one form."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from neptune_nas.errors import DataError

SUFFIXES = {
    *(".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
}
"""Suffixes of images; a file with another one is an image if it begins like one."""

_NO_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # PIL cannot read theirs by itself
_START = 16  # bytes by which PIL's formats are told apart
_UNBOUNDED = {"I", "F"}  # PIL's modes of 32 bits per pixel, without a defined white
_WORDS = {"PNG", "PPM"}  # formats whose mode I holds 16 bits
_GRAY = {"1", "L", "LA", "I"}
_ORIENTATION, _SIDEWAYS = 0x0112, {5, 6, 7, 8}  # of EXIF: height and width change places
_LARGE = 2**24  # pixels: images beyond are decoded one at a time, which bounds the memory
_PER_BYTE = 10**7  # pixels that a byte of a file can stand for; more are a broken header
_ONE_LARGE = Lock()


class BrokenImageError(DataError):
    """An image file whose pixels cannot be read."""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """The common channels, height and width of images."""

    height: int
    width: int
    channels: int


def is_image(file: str) -> bool:
    """Return whether a file's content is an image; of others, only the first bytes are read.

    Raises `OSError` if it cannot be opened.
    """
    with open(file, "rb") as content:
        start = content.read(_START).ljust(_START, b"\0")
    accepts = (Image.OPEN[name][1] for name in _formats())
    if not any(accept is not None and accept(start) is True for accept in accepts):
        return False
    try:
        with Image.open(file, formats=_formats()):
            return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # of PIL's parsers: OSError, ValueError, SyntaxError and more
        return False


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    """Return the names of PIL's formats of pixels, the usual ones first."""
    Image.init()
    return tuple(name for name in Image.ID if name not in _NO_PIXELS)


@contextmanager
def quiet_metadata() -> Iterator[None]:
    """Silence PIL's warnings of odd metadata and of large images."""
    with catch_warnings():
        simplefilter("ignore")
        yield


def header_of(file: Path) -> ImageFormat:
    """Return the form of one image, without decoding its pixels."""
    with open_image(file) as image:
        return form_of(image)


def form_of(image: Image.Image) -> ImageFormat:
    """Return the form of an opened image, as it is when upright."""
    height, width = image.height, image.width
    if _is_sideways(image):
        height, width = width, height
    return ImageFormat(height, width, 1 if _is_gray(image) else 3)


def _is_sideways(image: Image.Image) -> bool:
    """Return whether the metadata says to turn an image by a quarter."""
    if image.format == "TIFF":  # PIL gives its upright size
        return False
    if image.format == "PNG" and "exif" not in image.info:  # else all pixels are read to find it
        return False
    try:
        return image.getexif().get(_ORIENTATION) in _SIDEWAYS
    except Exception:  # odd metadata is no broken image
        return False


def _is_gray(image: Image.Image) -> bool:
    """Return whether an image has no colour: by its mode or, for a PNG, by its palette."""
    palette = image.palette
    if image.mode != "P" or palette is None or palette.rawmode not in (None, "RGB"):
        return image.mode in _GRAY or image.mode.startswith("I;16")
    colors = bytes(palette.palette)
    return colors[::3] == colors[1::3] == colors[2::3]


def decode(file: Path, form: ImageFormat) -> NDArray[np.uint8]:
    """Return the pixels `(C, H, W)` of one image, scaled and cropped to `form`."""
    with open_image(file) as image:
        return pixels_of(image, file, form)


def pixels_of(image: Image.Image, file: Path, form: ImageFormat) -> NDArray[np.uint8]:
    """Return the pixels `(C, H, W)` of an opened image, scaled and cropped to `form`."""
    if image.width * image.height > _LARGE:
        with _ONE_LARGE:
            return _fitted(image, file, form)
    return _fitted(image, file, form)


def _fitted(image: Image.Image, file: Path, form: ImageFormat) -> NDArray[np.uint8]:
    mode, size = "L" if form.channels == 1 else "RGB", (form.width, form.height)
    try:
        flat = upright(image, max(size))
        fitted = ImageOps.fit(flat.convert(mode), size, Image.Resampling.BILINEAR)
    except Exception as error:  # files can be broken in many ways
        raise unreadable(file, error) from error
    pixels = np.asarray(fitted)
    return pixels[None] if form.channels == 1 else pixels.transpose(2, 0, 1)


def upright(image: Image.Image, side: int = 1) -> Image.Image:
    """Return the image turned as its metadata says, in 8 bits per channel.

    One that is too large to be read whole is scaled to twice `side` pixels or more.
    """
    is_deep = _has_words(image)
    if image.width * image.height > most_pixels():
        image.draft(None, (2 * side, 2 * side))  # scales by up to 1/8 while it decodes
    image.load()
    with suppress(Exception):  # odd metadata is no broken image
        ImageOps.exif_transpose(image, in_place=True)
    if not is_deep:
        return image
    # PIL's own `convert` clips 16-bit pixels to white.
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _has_words(image: Image.Image) -> bool:
    """Return whether an image, as it was opened, has 16 bits per pixel."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in _WORDS)


def open_image(file: Path) -> Image.Image:
    """Return the image in `file`, with its pixels not yet read."""
    try:
        image = _opened(file)
    except Exception as error:  # of PIL's parsers: OSError, ValueError, SyntaxError and more
        raise unreadable(file, error) from error
    check_range(image, f"data: {file}")
    return image


def check_range(image: Image.Image, subject: str) -> None:
    """Refuse an image whose white is not defined; `subject`: what the message begins with."""
    if image.mode in _UNBOUNDED and not _has_words(image):
        image.close()
        raise BrokenImageError(
            f"{subject} must have 8 or 16 bits a channel, but has numbers without a range "
            f"(PIL's mode {image.mode}): convert it."
        )


def _opened(file: Path) -> Image.Image:
    """Return the image in `file`; one that PIL takes as too large only if it is a plain JPEG."""
    try:
        return Image.open(file, formats=_formats())
    except Image.DecompressionBombError:
        with suppress(SyntaxError):  # of another format
            image = JpegImageFile(file)
            if not image.info.get("progressive"):  # which is decoded in full before it is scaled
                return image
            image.close()
        raise


def unreadable(file: Path, error: Exception) -> BrokenImageError:
    """Return the error for a file that is not a complete image, or not to be had."""
    pixels = _claimed_pixels(error)
    if 0 < pixels < _PER_BYTE * file.stat().st_size:
        return BrokenImageError(
            f"data: {file} has {pixels:,} pixels, of which at most {most_pixels():,} are read, so "
            f"that no file fills the memory: scale it down, or take it out of the folder."
        )
    if isinstance(error, OSError) and error.strerror:  # of the system, not of PIL
        return BrokenImageError(
            f"data: {file} must stay where it was and be readable, but cannot be opened "
            f"({error.strerror}): put it back, allow it to be read, or start again without it."
        )
    return BrokenImageError(
        f"data: {file} must be an intact image, but cannot be read: remove or repair it."
    )


def _claimed_pixels(error: Exception) -> int:
    """Return how many pixels PIL found too many; 0 where the error is another one."""
    found = (
        re.search(r"\d+", str(error)) if isinstance(error, Image.DecompressionBombError) else None
    )
    return int(found[0]) if found else 0


def most_pixels() -> int:
    """Return the number of pixels beyond which PIL opens no image."""
    return 2 * (Image.MAX_IMAGE_PIXELS or 0)

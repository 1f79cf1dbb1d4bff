"""The pixels of an image file: opened by PIL, upright, 8 bits per channel, scaled and cropped."""

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
"""Suffixes of images; any other file is an image if its first bytes are those of one."""

_NO_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}  # PIL cannot decode these by itself
_START = 16  # bytes by which PIL identifies a format
_UNBOUNDED = {"I", "F"}  # PIL's modes with 32 bits per pixel, where white is undefined
_WORDS = {"PNG", "PPM"}  # formats whose mode I holds 16 bits
_GRAY = {"1", "L", "LA", "I"}
_ORIENTATION, _SIDEWAYS = 0x0112, {5, 6, 7, 8}  # EXIF orientations that swap height and width
_LARGE = 2**24  # pixels: larger images are decoded one at a time, to bound the memory
_PER_BYTE = 10**7  # the most pixels per byte of a file; more means a broken header
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
    """Return whether a file's content is an image.

    Of most other files, only the first bytes are read. Raises `OSError` if it cannot be opened.
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
    """Return the names of PIL's pixel formats, the common ones first."""
    Image.init()
    return tuple(name for name in Image.ID if name not in _NO_PIXELS)


@contextmanager
def quiet_metadata() -> Iterator[None]:
    """Silence PIL's warnings about odd metadata and large images."""
    with catch_warnings():
        simplefilter("ignore")
        yield


def header_of(file: Path) -> ImageFormat:
    """Return the format of an image file, without decoding its pixels."""
    with open_image(file) as image:
        return form_of(image)


def form_of(image: Image.Image) -> ImageFormat:
    """Return the format of an opened image once it is upright."""
    height, width = image.height, image.width
    if _is_sideways(image):
        height, width = width, height
    return ImageFormat(height, width, 1 if _is_gray(image) else 3)


def _is_sideways(image: Image.Image) -> bool:
    """Return whether the metadata says to rotate an image by 90 degrees."""
    if image.format == "TIFF":  # PIL gives its upright size
        return False
    if image.format == "PNG" and "exif" not in image.info:  # else PIL reads all pixels to find it
        return False
    try:
        return image.getexif().get(_ORIENTATION) in _SIDEWAYS
    except Exception:  # odd metadata does not break an image
        return False


def _is_gray(image: Image.Image) -> bool:
    """Return whether an image is gray, by its mode or, for a PNG, its palette."""
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
            return _fit(image, file, form)
    return _fit(image, file, form)


def _fit(image: Image.Image, file: Path, form: ImageFormat) -> NDArray[np.uint8]:
    mode, size = "L" if form.channels == 1 else "RGB", (form.width, form.height)
    try:
        flat = upright(image, max(size))
        fitted = ImageOps.fit(flat.convert(mode), size, Image.Resampling.BILINEAR)
    except Exception as error:  # files can be broken in many ways
        raise unreadable(file, error) from error
    pixels = np.asarray(fitted)
    return pixels[None] if form.channels == 1 else pixels.transpose(2, 0, 1)


def upright(image: Image.Image, side: int = 1) -> Image.Image:
    """Return the image rotated according to its metadata, in 8 bits per channel.

    One that is too large to be read whole is first scaled down, to at least twice `side` pixels.
    """
    is_deep = _has_words(image)
    if image.width * image.height > most_pixels():
        image.draft(None, (2 * side, 2 * side))  # scales by up to 1/8 while it decodes
    image.load()
    with suppress(Exception):  # odd metadata does not break an image
        ImageOps.exif_transpose(image, in_place=True)
    if not is_deep:
        return image
    # PIL's own `convert` clips 16-bit pixels to white.
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _has_words(image: Image.Image) -> bool:
    """Return whether an image that was just opened has 16 bits per pixel."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in _WORDS)


def open_image(file: Path) -> Image.Image:
    """Return the image in `file`, before its pixels are read."""
    try:
        image = _open_image(file)
    except Exception as error:  # of PIL's parsers: OSError, ValueError, SyntaxError and more
        raise unreadable(file, error) from error
    check_range(image, str(file))
    return image


def check_range(image: Image.Image, subject: str) -> None:
    """Refuse an image without a defined white; the message begins with `subject`."""
    if image.mode in _UNBOUNDED and not _has_words(image):
        image.close()
        raise BrokenImageError(
            f"{subject} must have 8 or 16 bits per channel, but its values have no fixed range "
            f"(PIL's mode {image.mode}): convert it."
        )


def _open_image(file: Path) -> Image.Image:
    """Return the image in `file`; if PIL finds it too large, only a baseline JPEG is opened."""
    try:
        return Image.open(file, formats=_formats())
    except Image.DecompressionBombError:
        with suppress(SyntaxError):  # another format
            image = JpegImageFile(file)
            if not image.info.get("progressive"):  # decoded in full before it is scaled
                return image
            image.close()
        raise


def unreadable(file: Path, error: Exception) -> BrokenImageError:
    """Return the error for a file that is not an intact image, or cannot be opened."""
    pixels = _claimed_pixels(error)
    if 0 < pixels < _PER_BYTE * file.stat().st_size:
        return BrokenImageError(
            f"{file} must have at most {most_pixels():,} pixels, to bound the memory, but "
            f"has {pixels:,}: scale it down, or take it out of the folder."
        )
    if isinstance(error, OSError) and error.strerror:  # from the system, not from PIL
        return BrokenImageError(
            f"{file} must stay readable while it is used, but cannot be opened "
            f"({error.strerror}): put it back, make it readable, or start again without it."
        )
    return BrokenImageError(
        f"{file} must be an intact image, but cannot be read: remove or repair it."
    )


def _claimed_pixels(error: Exception) -> int:
    """Return the number of pixels that PIL refused as too many; 0 for any other error."""
    found = (
        re.search(r"\d+", str(error)) if isinstance(error, Image.DecompressionBombError) else None
    )
    return int(found[0]) if found else 0


def most_pixels() -> int:
    """Return the largest number of pixels that PIL opens."""
    return 2 * (Image.MAX_IMAGE_PIXELS or 0)

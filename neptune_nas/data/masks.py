"""Masks of images: the classes that `classes.txt` names, and the pixels of a mask's file."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from neptune_nas.data.images import IGNORED, LEVELS, MOST_MASKED
from neptune_nas.data.pixels import ImageFormat, open_image, unreadable
from neptune_nas.errors import DataError
from neptune_nas.files.atomic import read_file
from neptune_nas.text import visible

CLASSES = "classes.txt"
_IGNORED_NAMES = {"ignore", "ignored", "void", "unlabelled", "unlabeled"}
_LOSSY = {"AVIF", "JPEG", "JPEG2000", "MPO", "WEBP"}
_GREY, _COLOUR = ("1", "L", "P"), ("RGB", "RGBA")
_LARGEST = LEVELS - 1

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ClassList:
    """The classes of masks, without those to ignore.

    `places`: the place among `names` of each known id, or `IGNORED`. `colours`: the place of each
    known colour; empty where masks hold ids alone.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]
    colours: dict[Colour, int] = field(default_factory=dict)

    @property
    def is_grey(self) -> bool:
        """True if the colours are shades of grey, so that grey masks hold colours and not ids."""
        return bool(self.colours) and all(len({*each}) == 1 for each in self.colours)


def read_classes(file: Path) -> ClassList:
    """Return the classes in a file: one a line, with a colour `r g b` before or after, or none.

    A line's number, from 0, is the id of its class. Pixels of a class named "ignored" or "void" are
    ignored. Raises `DataError` for a file that names fewer than two classes, or any twice.
    """
    names: list[str] = []
    places: list[int] = []
    colours: dict[Colour, int] = {}
    lines = [line.strip() for line in read_file(file).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    for line in lines:
        name, colour = _parsed(line)
        is_ignored = name.casefold() in _IGNORED_NAMES
        places.append(IGNORED if is_ignored else len(names))
        if not is_ignored:
            names.append(name)
        if colour is None:
            continue
        if colour in colours:
            raise DataError(
                f"{file}: each class must have a colour of its own, but {_text(colour)} comes "
                f"twice: change one of them."
            )
        colours[colour] = places[-1]
    if not 2 <= len(names) <= MOST_MASKED or len({*names}) < len(names):
        twice = next((visible(each) for each in names if names.count(each) > 1), "")
        got = f"'{twice}' comes twice" if twice else f"it names {len(names)}"
        raise DataError(
            f"{file}: it must name 2 to {MOST_MASKED} different classes, one a line, but {got}."
        )
    if 0 < len(colours) < len(lines):
        raise DataError(
            f"{file}: all of its {len(lines)} classes must have a colour, or none, but "
            f"{len(colours)} have one."
        )
    return ClassList(tuple(names), tuple(places), colours)


def numbered(count: int) -> ClassList:
    """Return so many classes, named by their ids."""
    return ClassList(tuple(map(str, range(count))), tuple(range(count)))


def _parsed(line: str) -> tuple[str, Colour | None]:
    """Return the name and the colour in a line.

    >>> _parsed("128 64 128 road"), _parsed("traffic sign,220,220,0"), _parsed("sky")
    (('road', (128, 64, 128)), ('traffic sign', (220, 220, 0)), ('sky', None))
    """
    level = r"(\d{1,3})[\s,;]+"
    first = re.fullmatch(rf"{level}{level}{level}(.*\S)", line)
    last = re.fullmatch(r"(.*?[^\s,;])[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})", line)
    if first:
        *levels, name = first.groups()
    elif last:
        name, *levels = last.groups()
    else:
        return line, None
    red, green, blue = map(int, levels)
    return (name, (red, green, blue)) if max(red, green, blue) <= _LARGEST else (line, None)


def _text(colour: Colour) -> str:
    return " ".join(map(str, colour))


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The class of each pixel `(H, W)` of an image, and how many pixels have none.

    `strange`: those whose id or colour stands for no class. `example`: one of these, in words.
    """

    pixels: NDArray[np.uint8]
    strange: int = 0
    example: str = ""


def size_of_mask(file: Path) -> tuple[int, int]:
    """Return the height and width of a mask; raises `DataError` for a file that is none."""
    with open_image(file) as image:
        if image.format in _LOSSY:
            raise DataError(
                f"{file}: a mask must be kept without loss, such as PNG, but is {image.format}, "
                f"which changes class numbers: write it again as PNG."
            )
        if image.mode not in (*_GREY, *_COLOUR):
            raise DataError(
                f"{file}: a mask must have 8 bits a channel, in grey, with a palette or in "
                f"colour, but has PIL's mode {image.mode}: convert it."
            )
        return image.height, image.width


def read_mask(file: Path, form: ImageFormat, classes: ClassList | None) -> Mask:
    """Return a mask, scaled without interpolation and cropped as `decode` does with its image.

    `classes`: None for those that stand in the mask itself, as ids. Raises `DataError` for a mask
    in colour of classes without colours.
    """
    with open_image(file) as image:
        is_coloured = image.mode in _COLOUR
        by_colour = is_coloured or (image.mode != "P" and classes is not None and classes.is_grey)
        try:
            flat = image.convert("RGB") if by_colour else Image.fromarray(_ids(image))
            fitted = ImageOps.fit(flat, (form.width, form.height), Image.Resampling.NEAREST)
        except Exception as error:  # files can be broken in many ways
            raise unreadable(file, error) from error
    pixels = np.asarray(fitted)
    if classes is None and not is_coloured:
        return Mask(pixels.copy())
    if classes is None or (by_colour and not classes.colours):
        raise DataError(
            f"{file}: a mask in colour needs to know which colour is which class: name them in "
            f"{CLASSES} beside the folders, one class a line, as in '128 64 128 road'."
        )
    return _by_colour(pixels, classes) if by_colour else _by_id(pixels, classes)


def _ids(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image).astype(np.uint8)


def _by_id(ids: NDArray[np.uint8], classes: ClassList) -> Mask:
    table = np.full(LEVELS, IGNORED, np.uint8)
    table[: len(classes.places)] = classes.places
    strange = (ids >= len(classes.places)) & (ids != IGNORED)
    example = f"id {ids[strange][0]}" if strange.any() else ""
    return Mask(table[ids], int(strange.sum()), example)


def _by_colour(colours: NDArray[np.uint8], classes: ClassList) -> Mask:
    codes = colours.astype(np.int64) @ np.array([LEVELS**2, LEVELS, 1])
    present, inverse = np.unique(codes, return_inverse=True)
    known = {
        (red * LEVELS + green) * LEVELS + blue: place
        for (red, green, blue), place in classes.colours.items()
    }
    table = np.array([known.get(int(code), IGNORED) for code in present], np.uint8)
    strange = np.array([int(code) not in known for code in present])
    inverse = inverse.reshape(codes.shape)
    example = ""
    if strange.any():
        code = int(present[strange.argmax()])
        example = f"colour {code // LEVELS**2} {code // LEVELS % LEVELS} {code % LEVELS}"
    return Mask(table[inverse], int(strange[inverse].sum()), example)

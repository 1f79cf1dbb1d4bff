"""Boxes in text files, one an image, as YOLO has them: a class and four shares of the image a line.

The fields are those that Ultralytics documents: the number of the class, then the box's centre
across and down, its width and its height.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from neptune_nas.data.annotations import (
    MISSING,
    Annotated,
    Annotations,
    LabelledBox,
    Pictures,
    number,
)
from neptune_nas.data.fitting import Box
from neptune_nas.data.listing import Listing
from neptune_nas.errors import DataError
from neptune_nas.files.atomic import read_file, text_of
from neptune_nas.files.regular import read_bytes
from neptune_nas.files.schema import cut

CLASSES = "classes.txt"
_LARGEST = 2**20  # bytes of a file that names classes, or of one about one image
_BOX = 4  # numbers behind the class; more, in pairs, are the corners of an outline
_LEAST_OUTLINE = 6


def read_yolo(
    files: Sequence[Path],
    folder: Path,
    pictures: Pictures,
    listing: Listing,
    names: Path | None = None,
) -> Annotations:
    """Return the images and boxes in text files of YOLO's format, below a folder.

    An image has the path of its text file, up to the suffix; one without a file has no objects. A
    line with an outline stands for the box around it. `names`: the file that names the classes;
    without it, they are their numbers. Raises `DataError` for another content.
    """
    known = None if names is None else class_names(names)
    lines = {_stem(file, folder): _read(file, known) for file in files}
    found: list[Annotated] = []
    for image in pictures.files:
        boxes = lines.pop(_stem(image, pictures.folder), ())
        found.append(Annotated(image, tuple(boxes), in_shares=True))
    for stem in lines:
        listing.leave_out(MISSING, str(folder / stem))
    if known is None:
        count = max((int(b.label) + 1 for each in found for b in each.boxes), default=0)
        known = tuple(map(str, range(count)))
    return Annotations(known, tuple(found))


def _stem(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _read(file: Path, names: Sequence[str] | None) -> list[LabelledBox]:
    """Return the boxes in a text file, in shares of the image."""
    found: list[LabelledBox] = []
    lines = text_of(file, read_bytes(file, _LARGEST)).splitlines()
    for place, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        where = f"{file}, line {place}"
        first, *rest = (number(word, f"{where}: each field") for word in words)
        label = int(first)
        if first != label or label < 0 or (names is not None and label >= len(names)):
            most = "" if names is None else f" to {len(names) - 1}, as there are {len(names)}"
            raise DataError(
                f"{where}: the class must be a whole number from 0{most}, but is {cut(words[0])}."
            )
        found.append(LabelledBox(str(label) if names is None else names[label], _box(where, rest)))
    return found


def _box(where: str, numbers: Sequence[float]) -> Box:
    """Return the box of a line, or the one around its outline."""
    if len(numbers) == _BOX:
        x, y, width, height = numbers
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(numbers) < _LEAST_OUTLINE or len(numbers) % 2:
        raise DataError(
            f"{where}: it must have a class and 4 numbers (centre across and down, width, height), "
            f"or a class and an outline of 3 points or more, but has {len(numbers) + 1} fields."
        )
    across, down = numbers[::2], numbers[1::2]
    return min(across), min(down), max(across), max(down)


def class_names(file: Path) -> tuple[str, ...]:
    """Return the names of classes in `classes.txt`, one a line, or under `names` in a YAML file."""
    if file.suffix == ".txt":
        names: Any = [line.strip() for line in read_file(file).splitlines() if line.strip()]
    else:
        try:
            content = yaml.safe_load(text_of(file, read_bytes(file, _LARGEST)))
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{file} must be YAML, but is not ({first}): correct it.") from error
        names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and {*names} == {*range(len(names))}:
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataError(
            f"{file}: `names` must list the names of the classes, or give each number from 0 its "
            f"name, but is {cut(names)}."
        )
    return tuple(each if isinstance(each, str) else str(each) for each in names)

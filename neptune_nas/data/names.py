"""The parts of data sets' names."""

import os
from pathlib import Path

from neptune_nas.errors import DataError, one_of
from neptune_nas.files.regular import is_file, is_folder
from neptune_nas.text import utf8_text, visible

FOLDER = "folder:"
TENSORS = "tensors:"
_OWN = (FOLDER + "PATH", TENSORS + "FILE")
COUNT = "#"  # before the number of training images
SIZE = "@"  # before the side of a folder's images, in pixels
TIMES = "x"  # between their width and their height, where these differ
SUFFIX = ".safetensors"  # of a file of tensors
TORCHVISION = ("mnist", "fashion-mnist", "cifar10", "cifar100")
SCENES = "digits-scenes"
BOXES = "digits-boxes"
DATA_SETS = ("digits", SCENES, BOXES, *TORCHVISION)
AMOUNTS = {  # training images, and classes
    "digits": (1_078, 10),
    SCENES: (600, 11),
    BOXES: (600, 10),
    "mnist": (54_000, 10),
    "fashion-mnist": (54_000, 10),
    "cifar10": (45_000, 10),
    "cifar100": (45_000, 100),
}


def parse_count(name: str) -> tuple[str, int | None]:
    """Split `NAME#COUNT`.

    A `#` belongs to the name if no whole number follows, or if a path with that ending exists.
    """
    whole, _, digits = name.rpartition(COUNT)
    if not whole or not digits.isdecimal() or os.path.lexists(place_of(name)):
        return name, None
    return whole, int(digits)


def check_known(name: str) -> None:
    """Refuse the name of an unknown data set, whether or not its images are present."""
    if utf8_text(name) != name:
        raise DataError(
            f"data '{visible(name)}' must have a name in UTF-8, since a study's files hold it, but "
            f"has other bytes: rename the folder, or link to it and name the link."
        )
    whole, _ = parse_count(name)
    if whole not in DATA_SETS and not whole.startswith((FOLDER, TENSORS)):
        raise DataError(f"data '{whole}' is unknown: {_remedy(name, whole)}")


def _remedy(name: str, whole: str) -> str:
    """Return what an unknown name may mean: a folder or file without its prefix, or another name.

    `whole`: the name without its count.
    """
    path, _, size = whole.rpartition(SIZE)
    places = (name, whole, path if size.replace(TIMES, "", 1).isdecimal() else whole)
    if any(place and is_folder(Path(os.path.expanduser(place))) for place in places):
        return f"did you mean '{FOLDER}{name}'? There is a folder of that name."
    if whole.endswith(SUFFIX) and is_file(Path(os.path.expanduser(whole))):
        return f"did you mean '{TENSORS}{name}'? There is a file of that name."
    return one_of((*DATA_SETS, *_OWN), whole)


def place_of(name: str) -> str:
    """Return the path in the name of a user's data set; empty without one."""
    for kind in (FOLDER, TENSORS):
        if name.startswith(kind):
            return os.path.expanduser(name.removeprefix(kind))
    return ""


def reading_note(name: str, file: str | Path) -> str:
    """Return a sentence on images at a path that only a file names; empty for other data."""
    return (
        f"The images are those of '{visible(name)}', which {file} names." if place_of(name) else ""
    )


def short_name(name: str) -> str:
    """Return a data set's name without its folder.

    >>> short_name("folder:some/pictures@32#100"), short_name("mnist")
    ('pictures@32#100', 'mnist')
    >>> short_name("tensors:some/pets.safetensors#100")
    'pets#100'
    """
    for kind in (FOLDER, TENSORS):
        if name.startswith(kind):
            return Path(name.removeprefix(kind)).name.replace(SUFFIX, "")
    return name

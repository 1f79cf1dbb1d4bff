"""What the names of data sets say."""

import os.path
from pathlib import Path

from neptune_nas.errors import DataError, one_of

FOLDER = "folder:"
TENSORS = "tensors:"
OWN = (FOLDER + "PATH", TENSORS + "FILE")
COUNT = "#"  # before the number of training images
TORCHVISION = ("mnist", "fashion-mnist", "cifar10", "cifar100")
DATA_SETS = ("digits", *TORCHVISION)


def parse_count(name: str) -> tuple[str, int | None]:
    """`NAME#COUNT` taken apart.

    A `#` belongs to the name where no whole number follows, or where a path that ends so exists.
    """
    whole, _, digits = name.rpartition(COUNT)
    if not whole or not digits.isdecimal() or os.path.exists(place_of(name)):
        return name, None
    return whole, int(digits)


def check_known(name: str) -> None:
    """Refuse a name that is no data set's, whether or not its images are there."""
    whole, _ = parse_count(name)
    if whole not in DATA_SETS and not whole.startswith((FOLDER, TENSORS)):
        raise DataError(f"data '{whole}' is unknown: {one_of((*DATA_SETS, *OWN), whole)}")


def place_of(name: str) -> str:
    """The path in the name of a data set of the user's own; nothing where it has none."""
    for kind in (FOLDER, TENSORS):
        if name.startswith(kind):
            return os.path.expanduser(name.removeprefix(kind))
    return ""


def short_name(name: str) -> str:
    """A data set's name without the folder that it lies in.

    >>> short_name("folder:some/pictures@32#100"), short_name("mnist")
    ('pictures@32#100', 'mnist')
    >>> short_name("tensors:some/pets.safetensors#100")
    'pets#100'
    """
    for kind in (FOLDER, TENSORS):
        if name.startswith(kind):
            return Path(name.removeprefix(kind)).name.replace(".safetensors", "")
    return name

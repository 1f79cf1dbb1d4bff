"""The boxes that a file of annotations gives to images, whatever its format.

A box's sides are in pixels of the image as it is shown, so turned as its metadata says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Literal

from neptune_nas.data.fitting import Box
from neptune_nas.data.listing import Listing
from neptune_nas.errors import DataError
from neptune_nas.files.schema import cut

Kind = Literal["coco", "voc", "yolo"]

NO_AREA, OUTSIDE, CROWD, OTHER_CLASS, OTHER_IMAGE = (
    "boxes without an area",
    "boxes outside their image",
    "boxes around a crowd",
    "boxes of a category that is not listed",
    "boxes of an image that is not listed",
)
MISSING, NOT_ANNOTATED, OTHER_SIZE, TWICE = (
    "annotated images that are missing",
    "images without annotations",
    "images of another size than their annotations say",
    "images that are annotated twice",
)


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A box in pixels of its image, and the name of its class."""

    label: str
    box: Box


@dataclass(frozen=True, slots=True)
class Annotated:
    """An image with its boxes.

    `size`: its height and width, if its annotations say so. `in_shares`: whether boxes are given in
    shares of the image and not in pixels.
    """

    image: Path
    boxes: tuple[LabelledBox, ...]
    size: tuple[int, int] | None = None
    in_shares: bool = False


@dataclass(frozen=True, slots=True)
class Annotations:
    """The annotated images of a split, and the names of the classes in their order."""

    classes: tuple[str, ...]
    images: tuple[Annotated, ...]


@dataclass(frozen=True, slots=True)
class BoxFiles:
    """The files of a split: a folder of images, and a file or a folder of annotations.

    `extra`: the file that names the classes, or lists the images of the split.
    """

    kind: Kind
    images: Path
    annotations: Path
    extra: Path | None = None


@dataclass(slots=True)
class Pictures:
    """The images below a folder, to be found by the names that annotations give them.

    `found`: those asked for so far.
    """

    folder: Path
    files: tuple[Path, ...]
    found: set[Path] = field(default_factory=set)
    _by_path: Mapping[str, Path] = field(init=False)
    _by_name: Mapping[str, Path | None] = field(init=False)

    def __post_init__(self) -> None:
        self._by_path = {each.relative_to(self.folder).as_posix(): each for each in self.files}
        self._by_name = _unique((each.name, each) for each in self.files)

    def find(self, name: str) -> Path | None:
        """Return the image of a path below the folder, or of a name that only one image has.

        No other file is found, whatever the path.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        image = self._by_path.get(path.as_posix()) or self._by_name.get(path.name)
        if image is not None:
            self.found.add(image)
        return image

    def leave_rest(self, listing: Listing) -> None:
        """Count the images that were not asked for."""
        for file in self.files:
            if file not in self.found:
                listing.leave_out(NOT_ANNOTATED, str(file))


def _unique(pairs: Iterable[tuple[str, Path]]) -> dict[str, Path | None]:
    """Return the file of each name, None for a name of several."""
    found: dict[str, Path | None] = {}
    for name, file in pairs:
        found[name] = None if name in found else file
    return found


def number(value: object, where: str) -> float:
    """Return a finite number; raises `DataError`, which says where it stands."""
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    if isinstance(value, str):
        try:
            found = float(value)
        except ValueError:
            found = float("nan")
        if isfinite(found):
            return found
    raise DataError(f"{where} must be a number, but is {cut(value)}: correct it.")

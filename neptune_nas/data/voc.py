"""Boxes in XML files, one an image, as Pascal VOC has them (doi 10.1007/s11263-009-0275-4)."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from neptune_nas.data.annotations import (
    MISSING,
    Annotated,
    Annotations,
    LabelledBox,
    Pictures,
    number,
)
from neptune_nas.data.listing import Listing
from neptune_nas.errors import DataError
from neptune_nas.files.atomic import read_file, text_of
from neptune_nas.files.regular import read_bytes
from neptune_nas.files.schema import cut

_LARGEST = 2**20  # bytes of a file about one image
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(
    files: Sequence[Path], pictures: Pictures, listing: Listing, chosen: Path | None = None
) -> Annotations:
    """Return the images and boxes in XML files of Pascal VOC's format.

    An image has the name of its XML file, up to the suffix. Pixels count from 1 and a box ends in
    its last pixel, so 1 is taken off left and top. Classes are in the order of their names.
    `chosen`: a file that lists the names of the images to take. Raises `DataError` for another
    content.
    """
    names = None if chosen is None else _listed(chosen)
    stems = {file.stem: file for file in pictures.files}
    found: list[Annotated] = []
    for file in files:
        if names is not None and file.stem not in names:
            continue
        image = stems.get(file.stem)
        if image is None:
            listing.leave_out(MISSING, str(file))
            continue
        pictures.found.add(image)
        root = _root(file)
        boxes = tuple(_box(file, place, each) for place, each in enumerate(root.iter("object"), 1))
        found.append(Annotated(image, boxes, _size(root)))
    labels = sorted({box.label for each in found for box in each.boxes})
    return Annotations(tuple(labels), tuple(found))


def _listed(file: Path) -> set[str]:
    """Return the first word of each line, the name of an image."""
    return {line.split()[0] for line in read_file(file).splitlines() if line.strip()}


def _root(file: Path) -> ElementTree.Element:
    """Return the content of an XML file, which may define no entities."""
    text = text_of(file, read_bytes(file, _LARGEST))
    if "<!" in text.replace("<!--", ""):
        raise DataError(f"{file} must be plain XML, but declares a document type: remove it.")
    try:
        root = ElementTree.fromstring(text)  # it defines no entities
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{file} must be XML, but is not ({error}): correct it.") from error
    if root.tag != "annotation":
        raise DataError(
            f"{file} must hold an `annotation`, as Pascal VOC's files do, but holds "
            f"{cut(root.tag)}."
        )
    return root


def _box(file: Path, place: int, found: ElementTree.Element) -> LabelledBox:
    """Return the box of an object."""
    name = (found.findtext("name") or "").strip()
    if not name:
        raise DataError(f"{file}: object {place} must have a `name`, but has none: add it.")
    left, top, right, bottom = (
        number(found.findtext(f"bndbox/{side}"), f"{file}: object {place}: `{side}`")
        for side in _SIDES
    )
    return LabelledBox(name, (left - 1, top - 1, right, bottom))


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    """Return the height and width that a file gives, if it does."""
    height, width = (root.findtext(f"size/{side}", "").strip() for side in ("height", "width"))
    if height.isdecimal() and width.isdecimal() and int(height) and int(width):
        return int(height), int(width)
    return None

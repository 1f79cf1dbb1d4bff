"""Boxes in a JSON file, as COCO has them (https://cocodataset.org/#format-data)."""

from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

from neptune_nas.data.annotations import (
    CROWD,
    MISSING,
    OTHER_CLASS,
    OTHER_IMAGE,
    TWICE,
    Annotated,
    Annotations,
    LabelledBox,
    Pictures,
    number,
)
from neptune_nas.data.listing import Listing
from neptune_nas.errors import DataError, NeptuneError
from neptune_nas.files.atomic import read_file
from neptune_nas.files.documents import parse_json
from neptune_nas.files.regular import first_bytes
from neptune_nas.files.schema import cut, located

_LISTS = ("images", "annotations", "categories")
_START = 2**16  # bytes in which a broken file is recognised
_Id = int | str


def is_coco(file: Path) -> bool:
    """Return whether a JSON file has the lists of COCO, or is one of COCO's that is broken."""
    try:
        content = _content(file, file.stat().st_mtime_ns)
    except (NeptuneError, OSError):
        return b'"images"' in first_bytes(file, _START)
    return isinstance(content, dict) and {*_LISTS[:2]} <= {*content}


@lru_cache(maxsize=4)
def _content(file: Path, _written: int) -> Any:
    """Return what a JSON file holds; it is read once while it is unchanged."""
    with located(file, DataError):
        return parse_json(read_file(file))


def read_coco(file: Path, pictures: Pictures, listing: Listing) -> Annotations:
    """Return the images and boxes in a JSON file of COCO's format.

    Classes are in the order of their ids, which may have gaps; categories of one name are one
    class. What cannot be used is counted in `listing`. Raises `DataError` for another content.
    """
    content = _content(file, file.stat().st_mtime_ns)
    images, annotations, categories = (_records(file, content, name) for name in _LISTS)
    names = _by_id(file, "categories", categories, "name")
    paths = _by_id(file, "images", images, "file_name")
    boxes = _boxes(file, annotations, {*paths}, names, listing)
    found: dict[Path, Annotated] = {}
    for each in images:
        image = pictures.find(paths[each["id"]])
        if image is None:
            listing.leave_out(MISSING, str(pictures.folder / paths[each["id"]]))
        elif image in found:
            listing.leave_out(TWICE, str(image))
        else:
            found[image] = Annotated(image, tuple(boxes[each["id"]]), _size(each))
    ordered = sorted(names, key=lambda each: (isinstance(each, str), each))
    return Annotations(tuple(dict.fromkeys(names[each] for each in ordered)), (*found.values(),))


def _records(file: Path, content: Any, name: str) -> list[dict[str, Any]]:
    """Return one of the lists in a file, whose items are objects."""
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DataError(
            f"{file}: `{name}` must be a list of objects, as in COCO's files, but is {cut(found)}."
        )
    return found


def _by_id(file: Path, name: str, records: list[dict[str, Any]], field: str) -> dict[_Id, str]:
    """Return a text of each record by its id, which no other has."""
    found: dict[_Id, str] = {}
    for place, each in enumerate(records):
        one, text = each.get("id"), each.get(field)
        if not _is_id(one) or not isinstance(text, str) or not text:
            raise DataError(
                f"{file}: `{name}[{place}]` must have an `id` and a `{field}`, but has {cut(one)} "
                f"and {cut(text)}."
            )
        if one in found:
            raise DataError(f"{file}: `{name}[{place}].id` {cut(one)} comes twice: change one.")
        found[one] = text
    return found


def _is_id(value: object) -> TypeGuard[_Id]:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _size(record: dict[str, Any]) -> tuple[int, int] | None:
    """Return the height and width that a record of an image gives, if it does."""
    sides = record.get("height"), record.get("width")
    height, width = (each if isinstance(each, int) and each > 0 else 0 for each in sides)
    return (height, width) if height and width else None


def _boxes(
    file: Path,
    annotations: list[dict[str, Any]],
    images: set[_Id],
    names: dict[_Id, str],
    listing: Listing,
) -> dict[_Id, list[LabelledBox]]:
    """Return the boxes of each image by its id."""
    found: dict[_Id, list[LabelledBox]] = defaultdict(list)
    for place, each in enumerate(annotations):
        where = f"{file}: `annotations[{place}]"
        image, category, sides = each.get("image_id"), each.get("category_id"), each.get("bbox")
        if not isinstance(sides, list) or len(sides) != 4:
            raise DataError(
                f"{where}.bbox` must be left, top, width and height, but is {cut(sides)}."
            )
        left, top, width, height = (number(side, f"{where}.bbox`") for side in sides)
        if not _is_id(image) or image not in images:
            listing.leave_out(OTHER_IMAGE, f"{where}`")
        elif not _is_id(category) or category not in names:
            listing.leave_out(OTHER_CLASS, f"{where}`")
        elif each.get("iscrowd"):
            listing.leave_out(CROWD, f"{where}`")
        else:
            box = (left, top, left + width, top + height)
            found[image].append(LabelledBox(names[category], box))
    return found

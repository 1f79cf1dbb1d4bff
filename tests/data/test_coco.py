"""The JSON files of COCO's format."""

import json
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.data.annotations import Annotations, Pictures
from neptune_nas.data.coco import is_coco, read_coco
from neptune_nas.data.listing import Listing
from neptune_nas.errors import DataError
from tests.data.folders import write_picture

IMAGE = {"id": 1, "file_name": "a.png", "width": 8, "height": 8}
BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
KIND = {"id": 1, "name": "cat"}


def read(folder: Path, **changes: Any) -> tuple[Annotations, Listing]:
    """Return what is read of one image with one box, but for some changes."""
    write_picture(folder / "in" / "a.png")
    content = {"images": [IMAGE], "annotations": [BOX], "categories": [KIND], **changes}
    file = folder / "in" / "annotations.json"
    file.write_text(json.dumps(content))
    listing = Listing(folder)
    files = tuple(each for each in listing.files(folder / "in") if each.suffix == ".png")
    return read_coco(file, Pictures(folder / "in", files), listing), listing


def test_a_box_is_left_top_right_and_bottom(tmp_path: Path) -> None:
    found, _ = read(tmp_path)
    (image,) = found.images
    assert image.size == (8, 8)
    assert [(each.label, each.box) for each in image.boxes] == [("cat", (1, 2, 4, 6))]


def test_classes_are_in_the_order_of_their_ids_and_equal_names_are_one(tmp_path: Path) -> None:
    kinds = [{"id": 9, "name": "dog"}, {"id": 4, "name": "cat"}, {"id": 1, "name": "cat"}]
    found, _ = read(tmp_path, categories=kinds)
    assert found.classes == ("cat", "dog")


def test_ids_may_be_texts(tmp_path: Path) -> None:
    found, _ = read(
        tmp_path,
        images=[{**IMAGE, "id": "x"}],
        annotations=[{**BOX, "image_id": "x"}],
    )
    assert len(found.images[0].boxes) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"iscrowd": 1}, "boxes around a crowd"),
        ({"category_id": 7}, "boxes of a category that is not listed"),
        ({"category_id": True}, "boxes of a category that is not listed"),
        ({"image_id": 7}, "boxes of an image that is not listed"),
    ],
)
def test_boxes_that_belong_nowhere_are_counted(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    found, listing = read(tmp_path, annotations=[BOX, {**BOX, **change}])
    assert len(found.images[0].boxes) == 1
    assert listing.left_out[reason] == 1


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret.png", "..\\secret.png", "b.png"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / "secret.png")
    found, listing = read(tmp_path, images=[{**IMAGE, "file_name": name}])
    assert found.images == ()
    assert listing.left_out["annotated images that are missing"] == 1


@pytest.mark.parametrize("name", ["a.png", "./a.png", "elsewhere/a.png", "in\\a.png"])
def test_an_image_is_found_by_the_end_of_its_path(tmp_path: Path, name: str) -> None:
    found, _ = read(tmp_path, images=[{**IMAGE, "file_name": name}])
    assert found.images[0].image.name == "a.png"


def test_an_image_that_is_annotated_twice_counts_once(tmp_path: Path) -> None:
    found, listing = read(tmp_path, images=[IMAGE, {**IMAGE, "id": 2}])
    assert len(found.images) == 1
    assert listing.left_out["images that are annotated twice"] == 1


@pytest.mark.parametrize("size", [{"width": 0}, {"width": "8"}, {"height": -1}, {"height": None}])
def test_an_odd_size_is_none(tmp_path: Path, size: dict[str, Any]) -> None:
    found, _ = read(tmp_path, images=[{**IMAGE, **size}])
    assert found.images[0].size is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"images": None}, r"`images` must be a list of objects, .* but is None"),
        ({"annotations": [3]}, r"`annotations` must be a list of objects, .* but is \[3\]"),
        ({"images": [{"id": 1}]}, r"`images\[0\]` must have an `id` and a `file_name`, but has 1"),
        ({"images": [IMAGE, IMAGE]}, r"`images\[1\]\.id` 1 comes twice: change one"),
        ({"categories": [{"id": [], "name": "x"}]}, r"`categories\[0\]` must have an `id` and a"),
        ({"categories": [KIND, KIND]}, r"`categories\[1\]\.id` 1 comes twice"),
        ({"annotations": [{**BOX, "bbox": [1, 2]}]}, r"`annotations\[0\]\.bbox` must be left, top"),
        ({"annotations": [{**BOX, "bbox": None}]}, r"`annotations\[0\]\.bbox` must be left, top"),
        (
            {"annotations": [{**BOX, "bbox": [1, 2, "x", 4]}]},
            r"`annotations\[0\]\.bbox` must be a number, but is 'x'",
        ),
        (
            {"annotations": [{**BOX, "bbox": [1, 2, float("nan"), 4]}]},
            r"`annotations\[0\]\.bbox` must be a number, but is nan",
        ),
        (
            {"annotations": [{**BOX, "bbox": [1, 2, True, 4]}]},
            r"`annotations\[0\]\.bbox` must be a number, but is True",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(DataError, match=rf"annotations\.json: {told}"):
        read(tmp_path, **changes)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"images": []}', "[" * 100_000, '"images"'])
def test_other_files_are_not_taken_for_cocos(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    assert not is_coco(file)


def test_a_broken_file_of_coco_is_refused_as_such(tmp_path: Path) -> None:
    file = tmp_path / "annotations.json"
    file.write_text('{"images": [], "annotations": [')
    assert is_coco(file)
    with pytest.raises(DataError, match=r"annotations\.json"):
        read_coco(file, Pictures(tmp_path, ()), Listing(tmp_path))

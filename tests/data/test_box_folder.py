"""Folders of images with boxes, in each of the formats."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from neptune_nas.data.box_layout import box_layout
from neptune_nas.data.dense_folder import task_of_folder
from neptune_nas.data.images import NO_BOX, ImageData, Split
from neptune_nas.data.load import load_data, split_files, task_named
from neptune_nas.errors import DataError
from tests.data.folders import write_boxed, write_classes, write_masked, write_picture

Box = tuple[str, float, float, float, float]
SIZE = (20, 16)
BOXES: dict[str, list[Box]] = {
    f"{i:02}": [("cat", 2.0, 3.0, 10.0, 12.0), ("dog", 11.0 - i % 3, 1.0, 18.0, 8.0)][: 1 + i % 2]
    for i in range(10)
}


def sides(left: float, top: float, right: float, bottom: float) -> list[float]:
    """Return a box as COCO has it."""
    return [left, top, right - left, bottom - top]


def write_coco(folder: Path, boxes: dict[str, list[Box]] = BOXES, **changes: Any) -> Path:
    """Write pictures and COCO's file, with ids that have gaps."""
    for name in boxes:
        write_picture(folder / f"{name}.png", SIZE)
    ids = {"cat": 3, "dog": 17}
    content = {
        "images": [
            {"id": 5 * i, "file_name": f"{name}.png", "width": SIZE[0], "height": SIZE[1]}
            for i, name in enumerate(boxes)
        ],
        "annotations": [
            {"id": j, "image_id": 5 * i, "category_id": ids[label], "bbox": sides(*box)}
            for i, name in enumerate(boxes)
            for j, (label, *box) in enumerate(boxes[name])
        ],
        "categories": [{"id": 17, "name": "dog"}, {"id": 3, "name": "cat"}],
        **changes,
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def write_voc(folder: Path, boxes: dict[str, list[Box]] = BOXES) -> Path:
    """Write pictures beside XML files."""
    for name, found in boxes.items():
        write_picture(folder / f"{name}.png", SIZE)
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>"
            f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
            for label, left, top, right, bottom in found
        )
        size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size>"
        (folder / f"{name}.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    return folder


def write_yolo(folder: Path, boxes: dict[str, list[Box]] = BOXES) -> Path:
    """Write pictures and text files into folders beside each other."""
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    width, height = SIZE
    for name, found in boxes.items():
        write_picture(folder / "images" / f"{name}.png", SIZE)
        lines = (
            f"{['cat', 'dog'].index(label)} {(left + right) / 2 / width} "
            f"{(top + bottom) / 2 / height} {(right - left) / width} {(bottom - top) / height}"
            for label, left, top, right, bottom in found
        )
        (folder / "labels" / f"{name}.txt").write_text("\n".join(lines))
    (folder / "data.yaml").write_text("names: [cat, dog]\n")
    return folder


WRITERS = [write_coco, write_voc, write_yolo]
formats = pytest.mark.parametrize("write", WRITERS, ids=["coco", "voc", "yolo"])


def rows(split: Split) -> list[list[list[float]]]:
    """Return the boxes of each image without padding, in whole thousandths."""
    return [
        [[round(side, 3) for side in box] for box in boxes.tolist() if box[0] != NO_BOX]
        for boxes in split.targets
    ]


def all_rows(data: ImageData) -> list[list[list[float]]]:
    return sorted(each for s in (data.train, data.validation, data.test) for each in rows(s))


def wanted(boxes: dict[str, list[Box]] = BOXES) -> list[list[list[float]]]:
    places = {"cat": 0, "dog": 1}
    return sorted([[*sides, places[label]] for label, *sides in each] for each in boxes.values())


@formats
def test_boxes_are_read_with_their_classes(write: Callable[[Path], Path], tmp_path: Path) -> None:
    data = load_data(f"folder:{write(tmp_path)}")
    assert (data.task, data.classes, data.input_shape) == ("detection", ("cat", "dog"), (3, 16, 20))
    assert [len(s) for s in (data.train, data.validation, data.test)] == [6, 2, 2]
    assert all_rows(data) == wanted()
    assert data.notes == ()


@formats
def test_split_folders_are_kept_apart(write: Callable[[Path], Path], tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        write(tmp_path / name)
    data = load_data(f"folder:{tmp_path}")
    assert [len(s) for s in (data.train, data.validation, data.test)] == [10, 10, 10]
    assert sorted(rows(data.validation)) == wanted()
    assert task_named(f"folder:{tmp_path}") == "detection"


@formats
def test_boxes_follow_images_that_are_scaled(write: Callable[[Path], Path], tmp_path: Path) -> None:
    data = load_data(f"folder:{write(tmp_path)}@40x32")
    assert all_rows(data) == [
        [[2 * side for side in box[:4]] + box[4:] for box in each] for each in wanted()
    ]


def test_what_is_cropped_away_is_cut_or_left_out(tmp_path: Path) -> None:
    boxes: dict[str, list[Box]] = {
        name: [("cat", 0, 0, 3, 16), ("cat", 1, 4, 9, 8), ("dog", 4, 4, 8, 8)] for name in BOXES
    }
    data = load_data(f"folder:{write_coco(tmp_path, boxes)}@16")
    assert rows(data.test)[0] == [[0, 0, 1, 16, 0], [0, 4, 7, 8, 0], [2, 4, 6, 8, 1]]
    less = load_data(f"folder:{tmp_path}@8x16")
    assert rows(less.test)[0] == [[0, 4, 3, 8, 0], [0, 4, 2, 8, 1]]
    assert (
        "less than a quarter is left after images are cropped: 10 (such as 00.png)" in less.notes[0]
    )


@formats
def test_an_archive_may_wrap_the_folder(write: Callable[[Path], Path], tmp_path: Path) -> None:
    write(tmp_path / "a" / "b")
    assert all_rows(load_data(f"folder:{tmp_path}")) == wanted()


def test_splits_of_voc_are_lists(tmp_path: Path) -> None:
    write_voc(tmp_path / "all")
    for suffix, folder in ((".png", "JPEGImages"), (".xml", "Annotations")):
        (tmp_path / folder).mkdir()
        for file in (tmp_path / "all").glob(f"*{suffix}"):
            shutil.move(file, tmp_path / folder)
    (tmp_path / "all").rmdir()
    assert len(load_data(f"folder:{tmp_path}").train) == 6
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    for name, images in (("train", range(5)), ("val", range(5, 8)), ("test", range(8, 10))):
        (lists / f"{name}.txt").write_text("".join(f"{i:02}\n" for i in images))
    data = load_data(f"folder:{tmp_path}")
    assert [len(s) for s in (data.train, data.validation, data.test)] == [5, 3, 2]
    assert rows(data.test) == [wanted({"08": BOXES["08"]})[0], wanted({"09": BOXES["09"]})[0]]


def test_files_of_coco_may_stand_in_a_folder_of_their_own(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_coco(tmp_path / f"{split}2017")
        (tmp_path / "annotations").mkdir(exist_ok=True)
        shutil.move(
            tmp_path / f"{split}2017" / "annotations.json",
            tmp_path / "annotations" / f"instances_{split}2017.json",
        )
    data = load_data(f"folder:{tmp_path}")
    assert (len(data.train) + len(data.test), len(data.validation)) == (10, 10)
    assert sorted(rows(data.validation)) == wanted()


def test_splits_of_yolo_may_stand_below(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_yolo(tmp_path / "other" / split)
        for kind in ("images", "labels"):
            (tmp_path / kind).mkdir(exist_ok=True)
            shutil.move(tmp_path / "other" / split / kind, tmp_path / kind / split)
    shutil.rmtree(tmp_path / "other")
    (tmp_path / "data.yaml").write_text("names: {0: cat, 1: dog}\n")
    data = load_data(f"folder:{tmp_path}")
    assert sorted(rows(data.validation)) == wanted()
    assert data.classes == ("cat", "dog")


def test_other_folders_are_no_folders_of_boxes(tmp_path: Path) -> None:
    write_classes(tmp_path / "classes")
    (tmp_path / "classes" / "about.json").write_text('{"images": 3}')
    (tmp_path / "classes" / "broken.json").write_text("{")
    write_masked(tmp_path / "masks", ["a", "b"])
    assert task_of_folder(tmp_path / "classes") == "classification"
    assert task_of_folder(tmp_path / "masks") == "segmentation"
    assert box_layout(tmp_path / "missing") is None


def test_images_without_objects_are_images_too(tmp_path: Path) -> None:
    data = load_data(f"folder:{write_coco(tmp_path, {**BOXES, '03': [], '07': []})}")
    assert sum(len(each) == 0 for each in all_rows(data)) == 2


def test_training_images_without_any_object_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="images must have boxes, but those of the train split"):
        load_data(f"folder:{write_coco(tmp_path, {name: [] for name in BOXES})}")


def test_unusable_boxes_are_left_out_with_a_count(tmp_path: Path) -> None:
    bad: list[Box] = [
        ("cat", 5, 5, 5, 9),
        ("cat", 9, 9, 5, 5),
        ("dog", 30, 3, 40, 9),
        ("dog", -4, 2, 6, 30),
    ]
    data = load_data(f"folder:{write_coco(tmp_path, dict.fromkeys(BOXES, bad))}")
    assert rows(data.test)[0] == [[0, 2, 6, 16, 1]]
    (note,) = data.notes
    assert "boxes without an area: 20 (such as 00.png)" in note
    assert "boxes outside their image: 10" in note


def test_images_of_another_size_than_their_annotations_are_left_out(tmp_path: Path) -> None:
    write_coco(tmp_path)
    write_picture(tmp_path / "04.png", (16, 20))
    data = load_data(f"folder:{tmp_path}")
    assert len(all_rows(data)) == 9
    assert "another size than their annotations say: 1 (such as 04.png)" in data.notes[0]


def test_a_turned_image_has_the_size_that_it_is_shown_with(tmp_path: Path) -> None:
    write_coco(tmp_path)
    with Image.open(tmp_path / "04.png") as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "04.png", exif=exif)
    assert len(all_rows(load_data(f"folder:{tmp_path}"))) == 10


def test_missing_and_further_images_are_counted(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "02.png").unlink()
    write_picture(tmp_path / "extra.png", SIZE)
    data = load_data(f"folder:{tmp_path}")
    assert "annotated images that are missing: 1 (such as 02.png)" in data.notes[0]
    assert "images without annotations: 1 (such as extra.png)" in data.notes[0]


def test_too_many_boxes_in_an_image_are_refused(tmp_path: Path) -> None:
    many: list[Box] = [("cat", 2, 3, 10, 12)] * 1001
    with pytest.raises(DataError, match=r"03\.png must have at most 1,000 boxes, but has 1,001"):
        load_data(f"folder:{write_coco(tmp_path, {**BOXES, '03': many})}")


def test_a_folder_without_training_images_is_refused(tmp_path: Path) -> None:
    write_coco(tmp_path / "test")
    with pytest.raises(DataError, match="needs training images, but has only test: name their"):
        load_data(f"folder:{tmp_path}")


def test_the_fingerprint_changes_with_any_box(tmp_path: Path) -> None:
    write_voc(tmp_path)
    before = load_data(f"folder:{tmp_path}").fingerprint
    file = tmp_path / "03.xml"
    file.write_text(file.read_text().replace("<xmax>10.0<", "<xmax>11.0<"))
    assert load_data(f"folder:{tmp_path}").fingerprint != before


def test_files_are_named_in_the_order_of_their_rows(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    data, files = load_data(f"folder:{tmp_path}"), split_files(f"folder:{tmp_path}")
    assert [len(each) for each in files] == [6, 2, 2]
    for split, names in zip((data.train, data.validation, data.test), files, strict=True):
        assert rows(split) == [wanted({each.stem: BOXES[each.stem]})[0] for each in names]


def test_a_count_cuts_the_training_images_alone(tmp_path: Path) -> None:
    write_boxed(tmp_path)
    data = load_data(f"folder:{tmp_path}#1")
    assert (len(data.train), len(data.validation)) == (1, 2)


def test_images_in_a_cache_are_the_same(tmp_path: Path) -> None:
    write_boxed(tmp_path / "boxes")
    name = f"folder:{tmp_path / 'boxes'}"
    cached = load_data(name, tmp_path / "cache")
    assert cached.fingerprint == load_data(name).fingerprint
    assert torch.equal(cached.train.targets, load_data(name).train.targets)

"""Data sets by name, with equal splits for equal seeds on every machine."""

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from neptune_nas.data.image_file import ImageFile
from neptune_nas.data.images import ImageData, Split, image_data
from neptune_nas.data.names import (
    AMOUNTS,
    BOXES,
    COUNT,
    FOLDER,
    SCENES,
    TENSORS,
    TORCHVISION,
    check_known,
    parse_count,
    place_of,
)
from neptune_nas.data.source import Part, Source
from neptune_nas.data.splitting import THREE_WAY, TWO_WAY, Rows, at_most, stratified
from neptune_nas.errors import DataError
from neptune_nas.files.cache import cache_folder
from neptune_nas.interrupts import ctrl_c_held


def load_data(name: str, data_dir: str | Path | None = None, seed: int = 0) -> ImageData:
    """Return a data set: one of `DATA_SETS`, `folder:PATH`, `folder:PATH@SIZE`, `tensors:FILE`.

    A folder with `images` and `masks` in it is for segmentation, see `load_mask_folder`; one with
    boxes as COCO, Pascal VOC or YOLO have them for detection, see `load_box_folder`. A `FILE` is
    written by `save_tensors`. If a data set has only one of a validation and a test split, a tenth
    of its training images becomes the other; with neither, it is split 60/20/20. Both are fixed by
    `seed`, and stratified; images with masks or boxes are drawn at random. `#COUNT` after a name,
    as in `cifar10#10000`, trains on that many of the training images, drawn likewise; validation
    and test images do not change. It must be at least the number of classes, at most that of
    images. `data_dir`: the folder where torchvision's files are found or downloaded (default:
    `cache_folder`), and where the decoded images of a folder are cached (default: nowhere).

    Raises `DataError` if the name is unknown, or its images are missing or unreadable.
    """
    whole, count = parse_count(name)
    source = find_source(whole, Path(data_dir).expanduser() if data_dir else None)
    train, validation, test = (take_split(*each) for each in splits_of(source, name, count, seed))
    return image_data(replace(source, name=name), (train, validation, test))


def split_files(name: str, data_dir: str | Path | None = None, seed: int = 0) -> list[list[Path]]:
    """Return the image files of each split of a folder; none for other data sets."""
    whole, count = parse_count(name)
    if not whole.startswith(FOLDER):
        return []
    source = find_source(whole, Path(data_dir).expanduser() if data_dir else None)
    return [
        [part.files[row] for row in rows] for part, rows in splits_of(source, name, count, seed)
    ]


def splits_of(source: Source, name: str, count: int | None, seed: int) -> list[tuple[Part, Rows]]:
    """Return the part and the rows of each split, with `count` rows of the first."""
    (train, rows), *others = split_parts(source, seed)
    least = 1 if train.targets.ndim > 1 else len(source.classes)  # masks and boxes have no strata
    check_count(name, count, least, len(rows))
    return [(train, rows[at_most(targets_at(train, rows), count, seed)]), *others]


def check_count(name: str, count: int | None, least: int, images: int) -> None:
    """Refuse a count with fewer training images than classes, or more than there are."""
    if count is not None and not least <= count <= images:
        why = " (one image a class)" if least > 1 else ""
        raise DataError(
            f"data '{name}': the count after {COUNT} must be {least}{why} to "
            f"{images} (all training images), but got {count}."
        )


def targets_at(part: Part, rows: Rows) -> Tensor:
    """Return the targets of rows of a part."""
    return part.targets[torch.from_numpy(rows)]


def take_split(part: Part, rows: Rows) -> Split:
    """Return rows of a part as a split, in memory or memory-mapped."""
    images, targets = part.take(rows), targets_at(part, rows)
    if isinstance(images, ImageFile):
        return Split(images.mapped(), targets, images)
    return Split(images, targets)


def refuse_download(name: str, data_dir: str | Path | None, file: str | Path) -> None:
    """Refuse to download a data set that only a file names, not the user."""
    whole, _ = parse_count(name)
    if whole not in TORCHVISION:
        return
    folder = Path(data_dir).expanduser() if data_dir else usual_dir(whole)
    with ctrl_c_held():
        from neptune_nas.data.torchvision_sets import is_there
    if not is_there(whole, folder):
        raise DataError(
            f"data '{whole}', which {file} names, is not in {folder}: to download it, pass `data` "
            f"(--data) {name}, or name the folder that holds it as `data_dir` (--data-dir)."
        )


def load_once(name: str, data_dir: str | Path | None = None, seed: int = 0) -> ImageData:
    """Return the data set of `load_data`, cached: a worker process reads it only once.

    A file of tensors is read again if it has changed.
    """
    place = place_of(parse_count(name)[0])
    written = os.stat(place).st_mtime_ns if os.path.isfile(place) else 0
    return _remembered(name, data_dir, seed, written)


def images_and_classes(name: str, data_dir: str | Path | None = None) -> tuple[int, int]:
    """Return the number of training images of a data set, and of its classes.

    A user's own data is read to count them; raises as `load_data` does.
    """
    whole, count = parse_count(name)
    if whole in AMOUNTS:
        images, classes = AMOUNTS[whole]
        return count or images, classes
    data = load_once(name, data_dir, 0)
    return len(data.train), len(data.classes)


@lru_cache(maxsize=2)
def _remembered(name: str, data_dir: str | Path | None, seed: int, _written: int) -> ImageData:
    return load_data(name, data_dir, seed)


def split_parts(source: Source, seed: int) -> list[tuple[Part, Rows]]:
    """Return the part and its rows for each of train, validation and test."""
    train, validation, test = source.train, source.validation, source.test
    if test is None and validation is None:
        return [(train, rows) for rows in stratified(train.targets, THREE_WAY, seed)]
    if test is not None and validation is not None:
        return [(part, every_row(part, seed)) for part in (train, validation, test)]
    train_rows, split_off = stratified(train.targets, TWO_WAY, seed)
    return [
        (train, train_rows),
        (validation, every_row(validation, seed)) if validation else (train, split_off),
        (test, every_row(test, seed)) if test else (train, split_off),
    ]


def every_row(part: Part, seed: int) -> Rows:
    """Return all rows of a part."""
    return at_most(part.targets, None, seed)


def find_source(name: str, data_dir: Path | None) -> Source:
    """Return the source with this name.

    Its module is imported here, since torchvision and scikit-learn take longer to import (2.6 s and
    0.8 s) than a whole short training, and no data set needs both.
    """
    if name.startswith(FOLDER):
        from neptune_nas.data.dense_folder import dense_layout, load_dense_folder
        from neptune_nas.data.folder import load_folder, parse

        text = name.removeprefix(FOLDER)
        if layout := dense_layout(parse(text)[0]):
            return load_dense_folder(text, layout, data_dir)
        return load_folder(text, data_dir)
    if name.startswith(TENSORS):
        from neptune_nas.data.tensors import load_tensors

        return load_tensors(name.removeprefix(TENSORS))
    if name == "digits":
        with ctrl_c_held():
            from neptune_nas.data.digits import load_digits
        return load_digits()
    if name == SCENES:
        with ctrl_c_held():
            from neptune_nas.data.digits_scenes import load_scenes
        return load_scenes()
    if name == BOXES:
        with ctrl_c_held():
            from neptune_nas.data.digits_scenes import load_boxes
        return load_boxes()
    check_known(name)
    with ctrl_c_held():
        from neptune_nas.data.torchvision_sets import load_torchvision
    return load_torchvision(name, data_dir or usual_dir(name))


def task_named(name: str) -> str:
    """Return the task of the data set with this name, whose images are not read."""
    whole, _ = parse_count(name)
    if whole.startswith(FOLDER):
        from neptune_nas.data.dense_folder import task_of_folder
        from neptune_nas.data.folder import parse

        return task_of_folder(parse(whole.removeprefix(FOLDER))[0])
    return {SCENES: "segmentation", BOXES: "detection"}.get(whole, "classification")


def usual_dir(name: str) -> Path:
    """Return torchvision's default folder; raises `DataError` for a user without a home."""
    folder = cache_folder()
    if folder is None:
        raise DataError(
            f"data '{name}' has nowhere to be stored, since there is no home folder: set "
            f"`data_dir` (--data-dir)."
        )
    return folder

"""The layout of a folder of images with boxes: where images and annotations of each split are."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from neptune_nas.data.annotations import BoxFiles
from neptune_nas.data.coco import is_coco
from neptune_nas.data.layout import DEEPEST, SPLIT_NAMES, TEST, TRAIN, VALIDATION
from neptune_nas.data.listing import subfolders
from neptune_nas.data.yolo import CLASSES
from neptune_nas.errors import DataError

JSON, XML, TXT, YAML = (".json",), (".xml",), (".txt",), (".yaml", ".yml")
_IMAGES, _LABELS, _ANNOTATIONS = ("images", "jpegimages"), ("labels",), ("annotations",)


@dataclass(frozen=True, slots=True)
class BoxLayout:
    """The files of each split, and the folder that holds all of them."""

    root: Path
    splits: dict[str, BoxFiles]

    @property
    def training(self) -> Path:
        """The folder of the training images."""
        return self.splits[TRAIN].images if TRAIN in self.splits else self.root


def box_layout(path: Path) -> BoxLayout | None:
    """Return where a folder has images and boxes; None for a folder of another kind.

    No image is read. Without splits, all are `TRAIN`.
    """
    if not os.path.isdir(path):
        return None
    with suppress(DataError):  # one that cannot be listed
        folder = path
        for _ in range(DEEPEST):
            if found := _splits_in(folder):
                return BoxLayout(folder, found)
            inside = subfolders(folder)
            if len(inside) != 1:
                break
            (folder,) = inside.values()
    return None


def _splits_in(folder: Path) -> dict[str, BoxFiles]:
    """Return the files of each split in a folder; none for a folder of another kind."""
    inside = _folders(folder)
    splits = _named(inside)
    for split in (
        {name: _files_in(place, folder) for name, place in splits.items()},
        _parallel(inside, folder),
        {TRAIN: _files_in(folder, folder)},
    ):
        if found := {name: files for name, files in split.items() if files is not None}:
            return found
    return {}


def _files_in(folder: Path, root: Path) -> BoxFiles | None:
    """Return the files of one split, all of which are below a folder."""
    inside = _folders(folder)
    images = _first(inside, _IMAGES)
    labels, annotations = _first(inside, _LABELS), _first(inside, _ANNOTATIONS)
    if images and labels and _has(labels, TXT):
        return BoxFiles("yolo", images, labels, _names_file(root, labels))
    if images and annotations and _has(annotations, XML):
        return BoxFiles("voc", images, annotations)
    if file := next((each for each in _files(folder, JSON) if is_coco(each)), None):
        return BoxFiles("coco", folder, file)
    if _has(folder, XML):
        return BoxFiles("voc", folder, folder)
    return None


def _parallel(inside: Mapping[str, Path], root: Path) -> dict[str, BoxFiles]:
    """Return the splits of folders of images and of annotations that stand beside each other."""
    images = _first(inside, _IMAGES)
    labels, annotations = _first(inside, _LABELS), _first(inside, _ANNOTATIONS)
    if images and labels:
        beside, names = _named(_folders(labels)), _names_file(root, labels)
        return {
            split: BoxFiles("yolo", place, beside.get(split, labels / place.name), names)
            for split, place in _named(_folders(images)).items()
        }
    if annotations and (files := [each for each in _files(annotations, JSON) if is_coco(each)]):
        return {
            split: BoxFiles("coco", _images_of(split, root, images), file)
            for split, file in _by_split(files).items()
        }
    if images and annotations and _has(annotations, XML):
        lists = _files(root / "ImageSets" / "Main", TXT)
        return {
            split: BoxFiles("voc", images, annotations, file)
            for split, file in _by_split(lists, whole=True).items()
        }
    return {}


def _by_split(files: Sequence[Path], *, whole: bool = False) -> dict[str, Path]:
    """Return the file of each split, whose name is that of a split, or has it as one word.

    A single file of no split's name is that of the training images. `whole`: only whole names.
    """
    found: dict[str, Path] = {}
    for file in files:
        words = [file.stem] if whole else file.stem.replace("-", "_").split("_")
        names = (word.casefold().rstrip("0123456789") for word in words)
        split = next((SPLIT_NAMES[name] for name in names if name in SPLIT_NAMES), None)
        if split is not None:
            found.setdefault(split, file)
    if not found and len(files) == 1 and not whole:
        found[TRAIN] = files[0]
    return {split: found[split] for split in (TRAIN, VALIDATION, TEST) if split in found}


def _images_of(split: str, root: Path, images: Path | None) -> Path:
    """Return the folder of a split's images beside a folder of annotations, or of all images."""
    for folder in (root, *([images] if images else [])):
        for name, place in _folders(folder).items():
            if SPLIT_NAMES.get(name.rstrip("0123456789")) == split:
                return place
    return images or root


def _names_file(root: Path, labels: Path) -> Path | None:
    """Return the file that names the classes of YOLO's labels, if there is one."""
    listed = (root / CLASSES, labels / CLASSES, labels.parent / CLASSES)
    return next((each for each in (*_files(root, YAML), *listed) if each.is_file()), None)


def _folders(folder: Path) -> dict[str, Path]:
    return {name.casefold(): path for name, path in subfolders(folder).items()}


def _named(inside: Mapping[str, Path]) -> dict[str, Path]:
    """Return the folders of splits among some, training first."""
    found = {SPLIT_NAMES[name]: path for name, path in inside.items() if name in SPLIT_NAMES}
    return {split: found[split] for split in (TRAIN, VALIDATION, TEST) if split in found}


def _first(inside: Mapping[str, Path], names: Sequence[str]) -> Path | None:
    return next((inside[name] for name in names if name in inside), None)


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files in a folder with one of these suffixes, in order."""
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.name.lower().endswith(tuple(suffixes))]
    except OSError:
        return []
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def _has(folder: Path, suffixes: Sequence[str]) -> bool:
    return bool(_files(folder, suffixes))


def files_below(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files below a folder with one of these suffixes, in order."""
    return [
        *_files(folder, suffixes),
        *(each for inside in subfolders(folder).values() for each in files_below(inside, suffixes)),
    ]

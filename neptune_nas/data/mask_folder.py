"""Folders of images with masks: `images/` and `masks/`, whose files have the same names."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neptune_nas.data.folder import Pixels, Side, check_folder, parse, room_for
from neptune_nas.data.images import IGNORED
from neptune_nas.data.layout import DEEPEST, SPLIT_NAMES, TEST, TRAIN, VALIDATION, short_list
from neptune_nas.data.listing import Listing, subfolders
from neptune_nas.data.masks import (
    CLASSES,
    ClassList,
    numbered,
    read_classes,
    read_mask,
    size_of_mask,
)
from neptune_nas.data.pixels import BrokenImageError, ImageFormat, header_of, quiet_metadata
from neptune_nas.data.source import Part, Source
from neptune_nas.errors import DataError
from neptune_nas.text import counted, plural, utf8_text

_IMAGES, _MASKS = "images", "masks"
_MOST_STRANGE = 0.5  # share of the pixels without a class: beyond, the list of classes is wrong

NO_MASK, NO_PICTURE, TWICE, OTHER_SIZE = (
    "images without a mask of the same name",
    "masks without an image of the same name",
    "files with the name of another but another suffix",
    "images whose mask has another size",
)

Pair = tuple[Path, Path]
"""A folder of images, and one of their masks; or an image and its mask."""


@dataclass(frozen=True, slots=True)
class MaskLayout:
    """The folders of images and masks of each split, and the folder that holds all of them."""

    root: Path
    splits: dict[str, Pair]

    @property
    def training(self) -> Path:
        """The folder of the training images."""
        return self.splits[TRAIN][0] if TRAIN in self.splits else self.root


def mask_layout(path: Path) -> MaskLayout | None:
    """Return where a folder has images and masks; None for a folder of another kind.

    Either it has `images` and `masks`, which may have the same split folders, or each of its split
    folders has both. Without splits, all are `TRAIN`.
    """
    if not os.path.isdir(path):
        return None
    with suppress(DataError):  # one that cannot be listed
        folder = path
        for _ in range(DEEPEST):
            inside = _folders(folder)
            if pair := _pair_in(inside):
                return MaskLayout(folder, _splits_of(*pair) or {TRAIN: pair})
            split = {s: _pair_in(_folders(place)) for s, place in _named(inside).items()}
            if found := {name: pair for name, pair in split.items() if pair}:
                return MaskLayout(folder, found)
            if len(inside) != 1:
                break
            (folder,) = inside.values()
    return None


def _folders(folder: Path) -> dict[str, Path]:
    return {name.casefold(): path for name, path in subfolders(folder).items()}


def _pair_in(inside: dict[str, Path]) -> Pair | None:
    return (inside[_IMAGES], inside[_MASKS]) if {_IMAGES, _MASKS} <= {*inside} else None


def _named(inside: dict[str, Path]) -> dict[str, Path]:
    """Return the folders of splits among some, training first."""
    found = {SPLIT_NAMES[name]: path for name, path in inside.items() if name in SPLIT_NAMES}
    return {split: found[split] for split in (TRAIN, VALIDATION, TEST) if split in found}


def _splits_of(images: Path, masks: Path) -> dict[str, Pair]:
    """Return the split folders that folders of images and masks have, if they have any."""
    beside = _named(_folders(masks))
    return {
        split: (folder, beside.get(split, masks / folder.name))
        for split, folder in _named(_folders(images)).items()
    }


def load_mask_folder(
    text: str, layout: MaskLayout, cache: Path | None, form: ImageFormat | None = None
) -> Source:
    """Return the images below `PATH` or `PATH@SIZE` with their masks, in splits or not yet split.

    Images are made to fit as those of `load_folder` are, and masks with them, each pixel from the
    nearest one. `classes.txt` names the classes; without it, they are the numbers in the masks. All
    masks are held in memory. `form`: the form of the images (default: what suits them).
    """
    path, size = parse(text)
    check_folder(path, text)
    if TRAIN not in layout.splits:
        raise DataError(
            f"data 'folder:{text}': it needs a train folder with {_IMAGES} and {_MASKS}, but has "
            f"only {short_list([*layout.splits])}: name it train."
        )
    listing = Listing(path)
    with quiet_metadata():
        pairs = {split: [*_pairs(*folders, listing)] for split, folders in layout.splits.items()}
        if not pairs[TRAIN]:
            raise DataError(
                f"data 'folder:{text}': it needs training images with masks of the same name and "
                f"size, but has none. {' '.join(listing.sentences())}".rstrip()
            )
        side: Side | None = size if form is None else (form.height, form.width)
        every = tuple(image for split in pairs.values() for image, _ in split)
        channels = None if form is None else form.channels
        pixels = {
            split: Pixels(tuple(image for image, _ in pair), every, side, cache, channels)
            for split, pair in pairs.items()
        }
        masks = [mask for split in pairs.values() for _, mask in split]
        classes, targets, notes = _read_masks(text, layout.root, masks, pixels[TRAIN].form)
    found = torch.split(targets, [len(each) for each in pairs.values()])
    parts = {
        split: Part(rows, pixels[split].take, pixels[split].files)
        for split, rows in zip(pairs, found, strict=True)
    }
    return Source(
        name=f"folder:{text}",
        classes=tuple(map(utf8_text, classes)),
        train=parts[TRAIN],
        test=parts.get(TEST),
        flip=True,
        validation=parts.get(VALIDATION),
        notes=(*listing.sentences(), *notes),
        task="segmentation",
    )


def _pairs(images: Path, masks: Path, listing: Listing) -> Iterator[Pair]:
    """Yield each image with its mask; those without one, or of another size, are counted."""
    pictures, beside = (_by_stem(folder, listing) for folder in (images, masks))
    for stem in sorted(beside.keys() - pictures.keys()):
        listing.leave_out(NO_PICTURE, str(beside[stem]))
    for stem, image in pictures.items():
        mask = beside.get(stem)
        if mask is None:
            listing.leave_out(NO_MASK, str(image))
        elif _size_of(image) not in (None, size_of_mask(mask)):
            listing.leave_out(OTHER_SIZE, str(image))
        else:
            yield image, mask


def _by_stem(folder: Path, listing: Listing) -> dict[str, Path]:
    """Return the images below a folder by their path in it, without suffix."""
    found: dict[str, Path] = {}
    for file in listing.files(folder):
        stem = str(file.relative_to(folder).with_suffix(""))
        if stem in found:
            listing.leave_out(TWICE, str(file))
        else:
            found[stem] = file
    return found


def _size_of(image: Path) -> tuple[int, int] | None:
    """Return the height and width of an image; None for a broken one, which is refused later."""
    try:
        form = header_of(image)
    except BrokenImageError:
        return None
    return form.height, form.width


def _read_masks(
    text: str, root: Path, files: Sequence[Path], form: ImageFormat
) -> tuple[tuple[str, ...], Tensor, tuple[str, ...]]:
    """Return the classes, the masks `(N, H, W)`, and a note on pixels without a class."""
    named = root / CLASSES
    classes = read_classes(named) if os.path.lexists(named) else None
    masks = room_for(len(files), ImageFormat(form.height, form.width, 1))[:, 0]
    strange, example = 0, ""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        read = partial(read_mask, form=form, classes=classes)
        for i, mask in enumerate(threads.map(read, files)):
            masks[i] = mask.pixels
            if mask.strange and not strange:
                example = f"{mask.example} in {files[i]}"
            strange += mask.strange
    if classes is None:
        classes = _classes_in(text, root, masks)
    if strange > _MOST_STRANGE * masks.size:
        raise DataError(
            f"data 'folder:{text}': most pixels of its masks must be of the "
            f"{len(classes.names)} classes that {named} names, but "
            f"{strange / masks.size:.0%} are not (such as {example}): add the missing "
            f"classes to it."
        )
    share = strange / masks.size
    notes = (
        f"{counted(strange, 'pixel')} of the masks ({share:.1%}) {plural(strange, 'has', 'have')} "
        f"no class in {CLASSES}, such as {example}, and {plural(strange, 'is', 'are')} ignored, "
        f"like pixels of {IGNORED}.",
    )
    return classes.names, torch.from_numpy(masks), notes if strange else ()


def _classes_in(text: str, root: Path, masks: NDArray[np.uint8]) -> ClassList:
    """Return the classes that stand in the masks as ids, named by number."""
    present = np.flatnonzero(np.bincount(masks.reshape(-1), minlength=IGNORED + 1)[:IGNORED])
    if present.size == 0 or present[-1] == 0:
        raise DataError(
            f"data 'folder:{text}': its masks must hold two classes or more, but hold "
            f"{'only 0' if present.size else 'none'}; {IGNORED} means ignored. If it is a class "
            f"here, name the classes in {root / CLASSES} with their colours, as in '0 0 0 "
            f"background' and '255 255 255 object'."
        )
    return numbered(int(present[-1]) + 1)

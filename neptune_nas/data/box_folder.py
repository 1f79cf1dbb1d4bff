"""Folders of images with boxes, annotated as COCO, Pascal VOC or YOLO have them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from neptune_nas.data.annotations import (
    NO_AREA,
    OTHER_SIZE,
    OUTSIDE,
    Annotated,
    Annotations,
    BoxFiles,
    Pictures,
)
from neptune_nas.data.box_layout import JSON, TXT, XML, YAML, BoxLayout, files_below
from neptune_nas.data.coco import read_coco
from neptune_nas.data.fitting import Box, Fitting, area, clipped
from neptune_nas.data.folder import Pixels, Side, check_folder, parse
from neptune_nas.data.images import padded
from neptune_nas.data.layout import TEST, TRAIN, VALIDATION, short_list
from neptune_nas.data.listing import Listing
from neptune_nas.data.pixels import ImageFormat, header_of, quiet_metadata
from neptune_nas.data.source import Part, Source
from neptune_nas.data.voc import read_voc
from neptune_nas.data.yolo import CLASSES, read_yolo
from neptune_nas.errors import DataError
from neptune_nas.text import counted, utf8_text

CUT = "boxes of which less than a quarter is left after images are cropped"
_LEFT = 0.25  # share of a box's area
_LEAST_SIDE = 0.1  # pixels of a box in the image that the network sees
_MOST_BOXES, _MOST_CLASSES = 1_000, 10_000  # of an image, and of a data set
_PASSED_OVER = frozenset((*JSON, *XML, *TXT, *YAML))


def load_box_folder(
    text: str, layout: BoxLayout, cache: Path | None, form: ImageFormat | None = None
) -> Source:
    """Return the images below `PATH` or `PATH@SIZE` with their boxes, in splits or not yet split.

    Images are made to fit as those of `load_folder` are, and boxes with them: what reaches beyond
    an image is cut off, and a box of which little is left is left out. `form`: the form of the
    images (default: what suits them).
    """
    path, size = parse(text)
    check_folder(path, text)
    if TRAIN not in layout.splits:
        raise DataError(
            f"data 'folder:{text}': it needs training images, but has only "
            f"{short_list([*layout.splits])}: name their folder train."
        )
    listing = Listing(path, passed_over=_PASSED_OVER)
    with quiet_metadata():
        found = {split: _read(files, listing) for split, files in layout.splits.items()}
        if not found[TRAIN].images:
            raise DataError(
                f"data 'folder:{text}': it needs training images with annotations, but has none. "
                f"{' '.join(listing.sentences())}".rstrip()
            )
        sized = {split: [*_of_their_size(each.images, listing)] for split, each in found.items()}
        classes = _classes(text, layout.splits[TRAIN].kind, [*found.values()])
        side: Side | None = size if form is None else (form.height, form.width)
        every = tuple(one.image for each in sized.values() for one, _ in each)
        channels = None if form is None else form.channels
        pixels = {
            split: Pixels(tuple(one.image for one, _ in each), every, side, cache, channels)
            for split, each in sized.items()
        }
        fitted = pixels[TRAIN].form.height, pixels[TRAIN].form.width
        places = {label: place for place, label in enumerate(classes)}
        boxes = {
            split: [[*_fitted(*each, fitted, places, listing)] for each in images]
            for split, images in sized.items()
        }
    most = max(len(each) for split in boxes.values() for each in split)
    parts = {
        split: Part(padded(each, most), pixels[split].take, pixels[split].files)
        for split, each in boxes.items()
    }
    return Source(
        name=f"folder:{text}",
        classes=tuple(map(utf8_text, classes)),
        train=parts[TRAIN],
        test=parts.get(TEST),
        flip=True,
        validation=parts.get(VALIDATION),
        notes=listing.sentences(),
        task="detection",
    )


def _read(files: BoxFiles, listing: Listing) -> Annotations:
    """Return the annotated images of a split."""
    pictures = Pictures(files.images, tuple(listing.files(files.images)))
    if files.kind == "coco":
        found = read_coco(files.annotations, pictures, listing)
    elif files.kind == "voc":
        listed = files_below(files.annotations, XML)
        found = read_voc(listed, pictures, listing, files.extra)
    else:
        listed = [each for each in files_below(files.annotations, TXT) if each.name != CLASSES]
        return read_yolo(listed, files.annotations, pictures, listing, files.extra)
    if files.extra is None:
        pictures.leave_rest(listing)
    return found


def _classes(text: str, kind: str, found: Sequence[Annotations]) -> tuple[str, ...]:
    """Return the classes of all splits, in the order of the first; VOC's are sorted."""
    names = dict.fromkeys(name for each in found for name in each.classes)
    classes = tuple(sorted(names) if kind == "voc" else names)
    if not 1 <= len(classes) <= _MOST_CLASSES:
        raise DataError(
            f"data 'folder:{text}': its boxes must have 1 to {_MOST_CLASSES:,} classes, but have "
            f"{len(classes):,}."
        )
    return classes


def _of_their_size(
    images: Sequence[Annotated], listing: Listing
) -> Iterator[tuple[Annotated, tuple[int, int]]]:
    """Yield the images with their sizes; those of another than is annotated are counted."""
    for each in images:
        header = header_of(each.image)
        size = header.height, header.width
        if each.size in (None, size):
            yield each, size
        else:
            listing.leave_out(OTHER_SIZE, str(each.image))


def _fitted(
    each: Annotated,
    size: tuple[int, int],
    fitted: tuple[int, int],
    places: Mapping[str, int],
    listing: Listing,
) -> Iterator[tuple[float, ...]]:
    """Yield the boxes of an image as targets; those that cannot be used are counted."""
    if len(each.boxes) > _MOST_BOXES:
        raise DataError(
            f"{each.image} must have at most {_MOST_BOXES:,} boxes, but has "
            f"{counted(len(each.boxes), 'box', 'boxes')}: leave it out."
        )
    fit, (height, width) = Fitting(size, fitted), size if each.in_shares else (1, 1)
    for labelled in each.boxes:
        left, top, right, bottom = labelled.box
        whole: Box = left * width, top * height, right * width, bottom * height
        inside = clipped(whole, size)
        moved = fit.fit(inside)
        kept = clipped(moved, fitted)
        if not area(whole):
            listing.leave_out(NO_AREA, str(each.image))
        elif not area(inside):
            listing.leave_out(OUTSIDE, str(each.image))
        elif area(kept) < _LEFT * area(moved) or not _is_visible(kept):
            listing.leave_out(CUT, str(each.image))
        else:
            yield *kept, places[labelled.label]


def _is_visible(box: Box) -> bool:
    left, top, right, bottom = box
    return min(right - left, bottom - top) >= _LEAST_SIDE

"""Labelled images to evaluate a trained model on: of its classes, and in its input shape."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unicodedata import normalize

import numpy as np
import torch

from neptune_nas.data.dense_folder import DenseLayout, dense_layout, load_dense_folder
from neptune_nas.data.folder import Side, check_folder, parse
from neptune_nas.data.images import IGNORED, LEVELS, NO_BOX, ImageData, Split, image_data, joined
from neptune_nas.data.layout import TEST, TRAIN, VALIDATION, Classes, labelled_layout, short_list
from neptune_nas.data.listing import Listing
from neptune_nas.data.load import load_data, splits_of, take_split, task_named
from neptune_nas.data.names import FOLDER, SIZE, TIMES, check_known, parse_count
from neptune_nas.data.pictures import read_pictures, recoloured_text
from neptune_nas.data.pixels import ImageFormat
from neptune_nas.data.source import Part, Source
from neptune_nas.data.splitting import Rows
from neptune_nas.data.training_images import TrainedOn, copy_notes, held_out
from neptune_nas.errors import DataError, one_of
from neptune_nas.text import counted, plural, utf8_text, visible

ALL = "all"
SPLITS = (TRAIN, VALIDATION, TEST, ALL)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """A part of a data set, whose targets are places in a model's classes.

    `files`: the file of each row, if it has one. `notes`: sentences on what was left out, and on
    images that the model was trained on.
    """

    name: str
    part: str
    split: Split
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """The images in words."""
        whole = self.part == ALL
        return f"all images of {self.name}" if whole else f"the {self.part} split of {self.name}"


def labelled_images(
    name: str,
    model: TrainedOn,
    part: str | None = None,
    skip_unknown: bool = False,
    data_dir: str | Path | None = None,
) -> LabelledImages:
    """Return the images of a data set, named as in `load_data`, that a model can be evaluated on.

    Images of a folder are read one by one as the model needs them; unreadable ones are left out.
    `part`: one of `SPLITS` (default: the test split; for a folder without splits all images, or
    the fifth that training held out where the model was trained on this very folder).
    `skip_unknown`: leave out classes that the model does not know. Raises `DataError` for those
    otherwise, and where no image remains.
    """
    if not name.startswith(FOLDER):
        check_known(name)
    if (task := task_named(name)) != model.task:
        raise DataError(
            f"data '{visible(name)}' is for {task}, but the model for {model.task}: take data for "
            f"{model.task}."
        )
    if not name.startswith(FOLDER):
        data = load_data(name, data_dir)
        return _in_data_set(name, data, model, part or TEST, skip_unknown)
    text = parse_count(name)[0].removeprefix(FOLDER)
    folder, _ = parse(text)
    if layout := dense_layout(folder):
        found = _in_dense_folder(name, layout, model, part, skip_unknown)
    else:
        found = _in_folder(name, model, part, skip_unknown)
    notes = (*found.notes, *copy_notes(found.files, folder, model, data_dir))
    return replace(found, name=utf8_text(name), notes=notes)


def _in_dense_folder(
    name: str, layout: DenseLayout, model: TrainedOn, part: str | None, skip_unknown: bool
) -> LabelledImages:
    """Return images with masks or boxes, scaled as the model needs them."""
    whole, count = parse_count(name)
    text = whole.removeprefix(FOLDER)
    channels, height, width = model.shape
    _check_size(name, parse(text)[1], model)
    source = load_dense_folder(text, layout, None, ImageFormat(height, width, channels))
    splits = splits_of(source, name, count, 0)
    train, validation, test = (take_split(*each) for each in splits)
    data = image_data(source, (train, validation, test))
    is_split = len(layout.splits) > 1 or data.fingerprint == model.fingerprint
    chosen = part or (TEST if is_split else ALL)
    files = {
        name: tuple(part.files[row] for row in rows)
        for name, (part, rows) in zip((TRAIN, VALIDATION, TEST), splits, strict=True)
    }
    taken = files if chosen == ALL else (chosen,)
    every = tuple(file for split in taken for file in files[split])
    return _in_data_set(name, data, model, chosen, skip_unknown, every)


def _check_size(name: str, side: Side | None, model: TrainedOn) -> None:
    """Refuse a size in a folder's name other than that of the model's images."""
    wanted = (side, side) if isinstance(side, int) else side
    if wanted not in (None, model.shape[1:]):
        assert wanted is not None
        size = str(side) if isinstance(side, int) else f"{wanted[1]}{TIMES}{wanted[0]}"
        raise DataError(
            f"data '{visible(name)}': images are read as the model needs them, at "
            f"{model.shape[1]}x{model.shape[2]}, but the name says {SIZE}{size}: leave it out."
        )


def _in_data_set(
    name: str,
    data: ImageData,
    model: TrainedOn,
    part: str,
    skip_unknown: bool,
    files: tuple[Path, ...] = (),
) -> LabelledImages:
    """Return images of a data set; `files`: of each of these images, if it has one."""
    if data.input_shape != model.shape:
        sizes = ("x".join(map(str, shape)) for shape in (model.shape, data.input_shape))
        raise DataError(
            "data '{}': its images must be {}, like those that the model was trained on, but are "
            "{}: take another data set.".format(name, *sizes)
        )
    places, notes = _places(name, data.classes, model.classes, skip_unknown)
    whole = _part_of(data, part)
    targets = _placed(whole, [places.get(each) for each in data.classes])
    rows = _known(targets).nonzero().flatten()
    if not len(rows):
        raise _no_image(name)
    if data.fingerprint == model.fingerprint and part != TEST:
        notes = (*notes, "The model was trained on these images, so it may know their labels.")
    split = Split(whole.images.index_select(0, rows), targets[rows])
    kept = tuple(files[row] for row in rows.tolist()) if files else ()
    return LabelledImages(name, part, split, kept, (*data.notes, *notes))


def _placed(split: Split, places: Sequence[int | None]) -> torch.Tensor:
    """Return the targets with each class at its place in the model.

    It is -1, `IGNORED` or `NO_BOX` for one that the model lacks.
    """
    if split.has_boxes:
        known = torch.tensor([NO_BOX if each is None else float(each) for each in places])
        labels = split.targets[..., -1]
        moved = known[labels.long().clamp(0)].where(labels != NO_BOX, NO_BOX).unsqueeze(-1)
        boxes = torch.cat((split.targets[..., :-1], moved), -1)
        return boxes.where(moved != NO_BOX, NO_BOX)
    if not split.has_masks:
        return torch.tensor([-1 if each is None else each for each in places])[split.targets]
    table = np.full(LEVELS, IGNORED, np.uint8)
    table[: len(places)] = [IGNORED if each is None else each for each in places]
    return torch.from_numpy(table[split.targets.numpy()])


def _known(targets: torch.Tensor) -> torch.Tensor:
    """Return which images have a class that the model knows."""
    if targets.ndim == 1:
        return targets.ge(0)
    if targets.is_floating_point():  # an image without boxes counts, too
        return targets.ne(NO_BOX).any().expand(len(targets))
    return targets.flatten(1).ne(IGNORED).any(1)


def _part_of(data: ImageData, part: str) -> Split:
    """Return a split of a data set, or all of them in one."""
    splits = {TRAIN: data.train, VALIDATION: data.validation, TEST: data.test}
    if part != ALL:
        return splits[part]
    images, targets = zip(*((each.images, each.targets) for each in splits.values()), strict=True)
    return Split(torch.cat(images), joined(targets))


def _in_folder(name: str, model: TrainedOn, part: str | None, skip_unknown: bool) -> LabelledImages:
    """Return images of a folder, read as the model needs them."""
    whole, count = parse_count(name)
    path, side = parse(whole.removeprefix(FOLDER))
    check_folder(path, whole.removeprefix(FOLDER))
    _check_size(name, side, model)
    listing = Listing(path)
    layout = labelled_layout(path, listing)
    chosen = part or (TEST if {TEST, VALIDATION} & {*layout} else ALL)
    used = {chosen} if chosen in layout and chosen != TRAIN else {*layout}
    classes = dict.fromkeys(each for split in layout if split in used for each in layout[split])
    places, notes = _places(name, classes, model.classes, skip_unknown)
    parts = {split: _listed(layout[split], places, listing) for split in layout if split in used}
    files, labels = _chosen(name, parts, chosen, count, model.classes)
    found = _read(name, files, labels, model.shape)
    found = replace(found, part=chosen, notes=(*listing.sentences(), *notes, *found.notes))
    is_whole = chosen == ALL and [*layout] == [TRAIN] and len(found.files) == len(files)
    return _unseen(found, model, part) if is_whole else found


def _places(
    name: str, found: Iterable[str], classes: Sequence[str], skip_unknown: bool
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the place of each found class among a model's, and notes on names that differ."""
    known = {label: place for place, label in enumerate(classes)}
    names = {each: utf8_text(each) for each in found}
    places = {each: known[label] for each, label in names.items() if label in known}
    notes: list[str] = []
    for each, label in names.items():
        if each in places:
            continue
        alike = [place for other, place in known.items() if _plain(other) == _plain(label)]
        if len(alike) == 1 and alike[0] not in places.values():
            places[each] = alike[0]
            notes.append(f"'{label}' is taken as the model's class '{classes[alike[0]]}'.")
    unknown = [label for each, label in names.items() if each not in places]
    if unknown and not skip_unknown:
        raise DataError(
            f"data '{visible(name)}': its classes must be known to the model, but "
            f"{visible(short_list(unknown))} {plural(len(unknown), 'is', 'are')} not: "
            f"{one_of(classes, unknown[0])} Rename the "
            f"{plural(len(unknown), 'class', 'classes')}, or leave "
            f"{plural(len(unknown), 'it', 'them')} out with `skip_unknown` (--skip-unknown)."
        )
    if unknown:
        what = counted(len(unknown), "class", "classes")
        notes.append(f"Left out {what} unknown to the model ({short_list(unknown)}).")
    return places, tuple(notes)


def _plain(label: str) -> str:
    """Return a label in the form to compare: macOS composes accents in another way than Linux.

    >>> _plain("Cat"), len("e" + chr(0x301)), len(_plain("e" + chr(0x301)))
    ('cat', 2, 1)
    """
    return normalize("NFC", label).casefold()


def _listed(layout: Classes, places: Mapping[str, int], listing: Listing) -> Part:
    """Return the files of the known classes of a split, sorted by class name, with their places."""
    files: list[Path] = []
    labels: list[int] = []
    for name in sorted(layout.keys() & places.keys()):
        inside = listing.files(layout[name])
        files += inside
        labels += [places[name]] * len(inside)
    return Part(torch.tensor(labels, dtype=torch.int64), _unread, tuple(files))


def _unread(rows: Rows) -> torch.Tensor:
    raise AssertionError(f"{len(rows)} images are chosen by their files and then read")


def _chosen(
    name: str, parts: Mapping[str, Part], chosen: str, count: int | None, classes: tuple[str, ...]
) -> tuple[Sequence[Path], torch.Tensor]:
    """Return the files and labels of a split: a part of that name, or what training would take."""
    if chosen == ALL or (chosen in parts and chosen != TRAIN):
        taken = [part for split, part in parts.items() if chosen in (split, ALL)]
        files = [file for part in taken for file in part.files]
        return files, torch.cat([part.targets for part in taken])
    if TRAIN not in parts:
        raise DataError(
            f"data '{visible(name)}': it has no {chosen} split, only {short_list([*parts])}: "
            f"name one of those as `split` (--split)."
        )
    if not parts[TRAIN].files:
        raise _no_image(name)
    source = Source(
        name, classes, parts[TRAIN], parts.get(TEST), None, False, parts.get(VALIDATION)
    )
    part, rows = splits_of(source, name, count, 0)[SPLITS.index(chosen)]
    return [part.files[row] for row in rows], part.targets[torch.from_numpy(rows)]


def _read(
    name: str, files: Sequence[Path], labels: torch.Tensor, shape: tuple[int, int, int]
) -> LabelledImages:
    """Return the images in `files`; those that cannot be read are left out, with a note."""
    try:
        images = torch.empty((len(files), *shape), dtype=torch.uint8)
    except RuntimeError as error:  # torch's, of its allocator
        raise DataError(
            f"data '{visible(name)}': {counted(len(files), 'image')} of {shape[1]}x{shape[2]} must "
            f"fit into memory, but do not: evaluate a part of them."
        ) from error
    good: list[int] = []
    broken: list[DataError] = []
    recoloured = 0
    for row, found in enumerate(read_pictures(files, shape)):
        if isinstance(found, DataError):
            broken.append(found)
            continue
        images[len(good)] = found.pixels
        recoloured += found.channels != shape[0]
        good.append(row)
    if broken and not good:
        raise DataError(
            f"data '{visible(name)}': some of its images must be readable, but none is; the first: "
            f"{broken[0]}"
        )
    if not good:
        raise _no_image(name)
    notes = (recoloured_text(recoloured, shape[0]),) if recoloured else ()
    if broken:
        what = counted(len(broken), "image")
        notes = (f"Left out {what} that cannot be read; the first: {broken[0]}", *notes)
    split = Split(images[: len(good)], labels[torch.tensor(good)])
    return LabelledImages(name, ALL, split, tuple(files[row] for row in good), notes)


def _no_image(name: str) -> DataError:
    return DataError(f"data '{visible(name)}': it has no image of the model's classes: add some.")


def _unseen(found: LabelledImages, model: TrainedOn, part: str | None) -> LabelledImages:
    """Return the test split of a folder without splits if the model was trained on this folder.

    Where all images are asked for, a note says so instead.
    """
    rows = held_out(found.split, model)
    if rows is None:
        return found
    total = counted(len(found.split), "image")
    if part == ALL:
        note = f"The model was trained on these {total}, so it may know their labels."
        return replace(found, notes=(*found.notes, note))
    note = (
        f"The model was trained on this folder of {total}, so it is evaluated on the "
        f"{len(rows):,} that training held out; to take them all, set `split` (--split) to 'all'."
    )
    split = found.split[torch.from_numpy(rows)]
    files = tuple(found.files[row] for row in rows)
    return replace(found, part=TEST, split=split, files=files, notes=(*found.notes, note))

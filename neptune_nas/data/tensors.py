"""A user's images in one safetensors file, which is read without executing anything."""

import json
import os.path
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor

from neptune_nas.data.images import Split, check_splits
from neptune_nas.data.names import SUFFIX, TENSORS
from neptune_nas.data.source import Source, in_memory
from neptune_nas.errors import DataError, FileFormatError
from neptune_nas.files.atomic import write_file
from neptune_nas.files.documents import parse_json, versioned
from neptune_nas.files.rules import DIFFERENT, NOT_EMPTY, Count
from neptune_nas.files.schema import decode, fault, located
from neptune_nas.files.tensors import dump_tensors, read_tensors

FORMAT, VERSION = "neptune-nas/images", 1
_PARTS = (("train",), ("train", "test"), ("train", "validation", "test"))  # that a file may have
_KINDS = ("images", "labels")  # of tensors in a part
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
_DEPTHS = (1, 3, 4)  # channels of images, to recognise a last axis of channels

Labelled = tuple[Tensor, Tensor]
"""Images `(N, C, H, W)`, or gray ones `(N, H, W)`, and their labels `(N,)`."""


@dataclass(frozen=True, slots=True)
class _Header:
    """The header of a file, besides format and version."""

    classes: Annotated[tuple[Annotated[str, NOT_EMPTY], ...], DIFFERENT]
    crop: Count | None
    flip: bool


def save_tensors(
    path: str | Path,
    train: Labelled,
    validation: Labelled | None = None,
    test: Labelled | None = None,
    *,
    classes: Sequence[str] | None = None,
    crop: int | None = None,
    flip: bool = False,
) -> str:
    """Write labelled images to a file, and return the name of the data set.

    That name is `tensors:PATH`, where PATH ends in `.safetensors`. Images are uint8 `(N, C, H, W)`
    or `(N, H, W)`, or floating point in 0..1, kept to 8 bits; labels are whole numbers `(N,)` from
    0. Missing parts are split off as in `load_data`; `validation` needs `test`. `classes`: their
    names, by label (default: the numbers). `crop`, `flip`: suitable augmentation, see
    `ImageData`.

    Raises `DataError` for images or labels of another form, or that do not match, and
    `NeptuneError` if the file cannot be written.
    """
    path = Path(os.path.expanduser(path))  # not Path's, which raises for unknown users
    name = f"{TENSORS}{path}"
    if path.suffix != SUFFIX:
        raise DataError(f"data '{name}': the file's name must end in {SUFFIX}, but is {path.name}.")
    given = {"train": train, "validation": validation, "test": test}
    splits = {part: _split_of(name, part, pair) for part, pair in given.items() if pair is not None}
    if tuple(splits) not in _PARTS:
        raise DataError(
            f"data '{name}': `validation` needs `test` too: give both, or leave both out to have "
            f"them split off."
        )
    names = _class_numbers(splits) if classes is None else _as_list(classes)
    content = {"classes": names, "crop": crop, "flip": flip}
    with located(f"data '{name}'", DataError):
        header = decode(_Header, content)
    _check_crop(name, header, splits)
    check_splits(name, header.classes, splits)
    _check_apart(name, splits)
    text = json.dumps({"format": FORMAT, "version": VERSION, **content})
    write_file(path, dump_tensors(text, _tensors_in(splits)))
    return name


def _check_crop(name: str, header: _Header, splits: Mapping[str, Split]) -> None:
    """Refuse a crop that leaves nothing of an image."""
    side = min(splits["train"].images.shape[2:])
    if (header.crop or 0) >= side:
        words = f"below the {side} pixels of the images' shorter side"
        raise DataError(f"data '{name}': {fault('crop', words, header.crop)}")


def _check_apart(name: str, splits: Mapping[str, Split]) -> None:
    """Refuse a part with the images of another part, on which no measurement would be valid."""
    for one, other in combinations(splits, 2):
        if torch.equal(splits[one].images, splits[other].images):
            raise DataError(
                f"data '{name}': the {other} images must differ from the {one} images, but are "
                f"the same: leave `{other}` out to have it split off."
            )


def _as_list(classes: Sequence[str]) -> list[str]:
    """Return the names as a list; anything but several names unchanged, for a later check."""
    several = isinstance(classes, Iterable) and not isinstance(classes, str)
    return [*classes] if several else classes  # type: ignore[return-value]  # refused


def _class_numbers(splits: Mapping[str, Split]) -> list[str]:
    """Return the default names of the classes: their numbers."""
    most = max((int(split.targets.max()) for split in splits.values() if len(split)), default=0)
    return [*map(str, range(most + 1))]


def _split_of(name: str, part: str, pair: Labelled) -> Split:
    """Return a part's images and labels in their stored form."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise DataError(
            f"data '{name}': `{part}` must be a pair of images and their labels, but got "
            f"{type(pair).__name__}: give (images, labels)."
        )
    images, labels = (
        _tensor_of(value, f"data '{name}': the {part} {kind}")
        for value, kind in zip(pair, _KINDS, strict=True)
    )
    if labels.dtype not in _WHOLE:
        raise DataError(
            f"data '{name}': the {part} labels must be whole numbers, but got {labels.dtype}."
        )
    where = f"data '{name}': the {part} images"
    images = eight_bits(_with_channels(images, where), where)
    if labels.shape != images.shape[:1]:
        raise DataError(
            f"data '{name}': the {part} labels must be ({len(images)},), one label an image, but "
            f"got {tuple(labels.shape)}."
        )
    return Split(images, labels.long())


def _tensor_of(value: Any, where: str) -> Tensor:
    """Return a tensor from a tensor, an array or nested lists of equal lengths."""
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{where} must be a tensor, an array or lists of equal lengths, but got "
            f"{type(value).__name__} ({error})."
        ) from error


def _with_channels(images: Tensor, where: str) -> Tensor:
    """Return the images as `(N, C, H, W)`; `(N, H, W)` are gray."""
    if images.ndim == 3:
        return images.unsqueeze(1)
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise DataError(
            f"{where} must be (N, C, H, W) with pixels in them, but got {tuple(images.shape)}."
        )
    if images.shape[3] in _DEPTHS and images.shape[1] not in _DEPTHS:
        raise DataError(
            f"{where} must be (N, C, H, W), but {tuple(images.shape)} has its channels last: "
            f"give `images.permute(0, 3, 1, 2)`."
        )
    return images


def eight_bits(images: Tensor, where: str) -> Tensor:
    """Return the images as uint8; those in floating point must be in 0..1."""
    if images.dtype == torch.uint8:
        return images
    if not images.is_floating_point():
        raise DataError(
            f"{where} must be uint8, or floating point in 0..1, but got {images.dtype}."
        )
    if images.numel() and not 0 <= float(images.min()) <= float(images.max()) <= 1:
        raise DataError(
            f"{where} must lie in 0..1 where they are {images.dtype}, but got "
            f"{float(images.min()):g}..{float(images.max()):g}: undo their normalisation, or give "
            f"them as uint8."
        )
    return (images * 255).round().to(torch.uint8)


def _tensors_in(splits: Mapping[str, Split]) -> dict[str, Tensor]:
    """Return the tensors of a file by name."""
    return {
        f"{part}.{kind}": tensor
        for part, split in splits.items()
        for kind, tensor in zip(_KINDS, (split.images, split.targets), strict=True)
    }


def load_tensors(text: str) -> Source:
    """Return the images in the file of `tensors:TEXT`.

    Raises `DataError` for a file that is missing, or not written by `save_tensors`.
    """
    name = f"{TENSORS}{text}"
    with located(f"data '{name}'", DataError):
        written, tensors = read_tensors(Path(os.path.expanduser(text)))
        header = decode(_Header, versioned(parse_json(written), VERSION, FORMAT))
        splits = _splits_in(tensors)
    _check_crop(name, header, splits)
    held = {part: in_memory(split.images, split.targets) for part, split in splits.items()}
    return Source(
        name=name,
        classes=header.classes,
        train=held["train"],
        test=held.get("test"),
        crop=header.crop,
        flip=header.flip,
        validation=held.get("validation"),
    )


def _splits_in(tensors: Mapping[str, Tensor]) -> dict[str, Split]:
    """Return the parts in a file's tensors, by name."""
    found = {name.partition(".")[0] for name in tensors}
    parts = next((parts for parts in _PARTS if {*parts} == found), _PARTS[0])
    wanted = {f"{part}.{kind}" for part in parts for kind in _KINDS}
    for name in sorted(wanted ^ {*tensors}):
        broken = "is missing" if name in wanted else "belongs to no part"
        raise FileFormatError(f"`{name}` {broken}: write the file again with `save_tensors`.")
    splits = {part: Split(tensors[f"{part}.images"], tensors[f"{part}.labels"]) for part in parts}
    for part, split in splits.items():
        if split.targets.ndim > 1:
            raise FileFormatError(
                f"`{part}.labels` must be labels, one an image, but are masks or boxes: keep "
                f"such images in a folder."
            )
    return splits

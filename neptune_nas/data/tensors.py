"""Images of the user's own in one safetensors file, which is read without executing anything."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from neptune_nas.data.images import Split, check_splits
from neptune_nas.data.load import load_once
from neptune_nas.data.source import Source, in_memory
from neptune_nas.errors import DataError, FileFormatError
from neptune_nas.files import write_file
from neptune_nas.json_fields import COUNT, LIST, SIZE, TEXT, Rule, check_document, parse

FORMAT, VERSION = "neptune-nas/images", 1
HEADER = "neptune-nas"  # the one entry of the file's metadata
FIELDS: Mapping[str, Rule] = {
    "format": TEXT,
    "version": SIZE,
    "classes": LIST,
    "crop": COUNT.or_null,
    "flip": Rule("true or false", lambda value: type(value) is bool),
}
PARTS = (("train",), ("train", "test"), ("train", "validation", "test"))  # that a file may have
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
DEPTHS = (1, 3, 4)  # channels of pictures, by which a last axis of channels is recognised

Labelled = tuple[Tensor, Tensor]
"""Images `(N, C, H, W)`, or gray ones `(N, H, W)`, and their labels `(N,)`."""


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
    """Write labelled images to a file, and return the name that they are searched by.

    That name is `tensors:PATH`. Images are uint8 `(N, C, H, W)` or `(N, H, W)`, or floating point
    in 0..1, kept to 8 bits; labels are whole numbers `(N,)` from 0. Parts left out are split off,
    as `load_data` says; `validation` needs `test`. `classes`: their names, by label (default: the
    numbers). `crop`, `flip`: the augmentation that suits the images, see `ImageData`.

    Raises `DataError` for images or labels of another form, or that do not go together, and
    `NeptuneError` where the file cannot be written.
    """
    name = f"tensors:{path}"
    given = {"train": train, "validation": validation, "test": test}
    splits = {part: split_of(name, part, pair) for part, pair in given.items() if pair is not None}
    if tuple(splits) not in PARTS:
        raise DataError(
            f"data '{name}': `validation` needs `test` too: give both, or leave both out to have "
            f"them split off."
        )
    names = class_numbers(splits) if classes is None else tuple(classes)
    check_splits(name, names, splits)
    header = {"classes": list(names), "crop": crop, "flip": flip}
    write_file(Path(path), packed(header, splits))
    load_once.cache_clear()  # it may remember what stood in this file before
    return name


def class_numbers(splits: Mapping[str, Split]) -> tuple[str, ...]:
    """A name for each class, where they have none: its number."""
    most = max((int(split.labels.max()) for split in splits.values() if len(split)), default=0)
    return tuple(map(str, range(most + 1)))


def split_of(name: str, part: str, pair: Labelled) -> Split:
    """A part's images and labels in the form that they are kept in."""
    images, labels = map(torch.as_tensor, pair)
    if labels.dtype not in WHOLE:
        raise DataError(
            f"data '{name}': the {part} labels must be whole numbers, but got {labels.dtype}."
        )
    where = f"data '{name}': the {part} images"
    return Split(eight_bits(with_channels(images, where), where), labels.long())


def with_channels(images: Tensor, where: str) -> Tensor:
    """The images as `(N, C, H, W)`; `(N, H, W)` are gray."""
    if images.ndim == 3:
        return images.unsqueeze(1)
    if images.ndim != 4:
        raise DataError(f"{where} must be (N, C, H, W), but got {tuple(images.shape)}.")
    if images.shape[3] in DEPTHS and images.shape[1] not in DEPTHS:
        raise DataError(
            f"{where} must be (N, C, H, W), but {tuple(images.shape)} has its channels last: "
            f"give `images.permute(0, 3, 1, 2)`."
        )
    return images


def eight_bits(images: Tensor, where: str) -> Tensor:
    """The images as uint8; those in floating point must lie in 0..1."""
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


def packed(header: Mapping[str, Any], splits: Mapping[str, Split]) -> bytes:
    """The file's bytes."""
    tensors = {
        f"{part}.{kind}": tensor.contiguous().cpu()
        for part, split in splits.items()
        for kind, tensor in (("images", split.images), ("labels", split.labels))
    }
    text = json.dumps({"format": FORMAT, "version": VERSION, **header}, ensure_ascii=False)
    return save(tensors, {HEADER: text})


def load_tensors(text: str) -> Source:
    """The images in the file that `tensors:TEXT` names.

    Raises `DataError` for a file that is missing, or that `save_tensors` did not write.
    """
    name, path = f"tensors:{text}", Path(text).expanduser()
    try:
        header, splits = unpacked(path)
    except OSError as error:
        raise DataError(f"data '{name}': {path} cannot be read: {error.strerror}.") from error
    except (SafetensorError, FileFormatError, DataError, LookupError, StopIteration) as error:
        raise DataError(
            f"data '{name}': {path} must be a file that `save_tensors` wrote, but is none "
            f"({error or 'other parts'}): write it again."
        ) from error
    held = {part: in_memory(split.images, split.labels) for part, split in splits.items()}
    return Source(
        name=name,
        classes=tuple(header["classes"]),
        train=held["train"],
        test=held.get("test"),
        crop=header["crop"],
        flip=header["flip"],
        validation=held.get("validation"),
    )


def unpacked(path: Path) -> tuple[dict[str, Any], dict[str, Split]]:
    """The header of a file, and its parts by name."""
    path.open("rb").close()  # what the system refuses, it says more clearly than safe_open
    with safe_open(path, framework="pt") as file:
        header = check_document(parse((file.metadata() or {})[HEADER]), FORMAT, VERSION, FIELDS)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    found = {name.partition(".")[0] for name in tensors}
    parts = next(parts for parts in PARTS if {*parts} == found)
    return header, {
        part: Split(tensors[f"{part}.images"], tensors[f"{part}.labels"]) for part in parts
    }

"""The images that a model was trained on, found again among others."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import torch

from neptune_nas.data.folder import parse
from neptune_nas.data.images import Split, fingerprint
from neptune_nas.data.load import split_files, splits_of
from neptune_nas.data.names import FOLDER, parse_count
from neptune_nas.data.source import Source, in_memory
from neptune_nas.data.splitting import Rows
from neptune_nas.errors import DataError, NeptuneError
from neptune_nas.text import counted, plural


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """The images that a model was trained on: their classes and shape; name and hash if known.

    `task`: what it was trained for.
    """

    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    data: str | None = None
    fingerprint: str | None = None
    task: str = "classification"


def held_out(split: Split, model: TrainedOn) -> Rows | None:
    """Return the rows of the test split if these are the images that the model was trained on."""
    if model.data is None or model.fingerprint is None:
        return None
    source = Source("", model.classes, in_memory(split.images, split.targets))
    with suppress(DataError):  # fewer images than it was trained on
        splits = [rows for _, rows in splits_of(source, "", parse_count(model.data)[1], 0)]
        pixels = tuple(split[torch.from_numpy(rows)] for rows in splits)
        if fingerprint(pixels) == model.fingerprint:
            return splits[-1]
    return None


def copy_notes(
    files: Sequence[Path], folder: Path, model: TrainedOn, data_dir: str | Path | None
) -> Iterator[str]:
    """Yield how many files equal one that training read, if that lies in `folder`.

    `folder`: what the user names. A model file may name any place, so no other is looked into.
    """
    if not model.data or not files:
        return
    trained: list[Path] = []
    with suppress(NeptuneError, OSError, ValueError):  # gone, changed, or no folder at all
        if _lies_in(model.data, folder):
            trained = [file for split in split_files(model.data, data_dir)[:2] for file in split]
    copies = [*_copies(files, trained)]
    if copies:
        pair = " and ".join(map(str, dict.fromkeys(copies[0])))
        yield (
            f"{len(copies):,} of {counted(len(files), 'image')} "
            f"{plural(len(copies), 'is', 'are')} identical to one that the model was trained or "
            f"chosen on (such as {pair}): the model may know "
            f"{plural(len(copies), 'its label', 'their labels')}."
        )


def _lies_in(data: str, folder: Path) -> bool:
    """Return whether a data set is a folder inside another one, or that one itself."""
    whole, _ = parse_count(data)
    if not whole.startswith(FOLDER):
        return False
    place, _ = parse(whole.removeprefix(FOLDER))
    return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(folder))


def _copies(files: Iterable[Path], others: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield each file that equals one of `others`, byte by byte, with that one."""
    by_size: defaultdict[int, list[Path]] = defaultdict(list)
    for other in others:
        by_size[_bytes(other)].append(other)
    by_content: dict[int, dict[bytes, Path]] = {}
    for file in files:
        size = _bytes(file)
        if size not in by_size:
            continue
        if size not in by_content:
            by_content[size] = {_digest(other): other for other in by_size[size]}
        if same := by_content[size].get(_digest(file)):
            yield file, same


def _bytes(file: Path) -> int:
    with suppress(OSError):
        return os.stat(file).st_size
    return -1


def _digest(file: Path) -> bytes:
    try:
        with file.open("rb") as content:
            return file_digest(content, "sha256").digest()
    except OSError:  # gone in between: equal to nothing
        return os.fsencode(file)

"""Data sets by name, with the same three splits for the same seed on every machine."""

from functools import lru_cache
from pathlib import Path

import torch

from neptune_nas.data.images import ImageData, Split, image_data
from neptune_nas.data.source import Part, Source
from neptune_nas.data.splitting import THREE_WAY, TWO_WAY, Rows, at_most, stratified
from neptune_nas.errors import DataError, one_of

FOLDER = "folder:"
TORCHVISION = ("mnist", "fashion-mnist", "cifar10", "cifar100")
DATA_SETS = ("digits", *TORCHVISION)
DEFAULT_DIR = Path("~/.cache/neptune-nas")


def load_data(
    name: str, data_dir: str | Path | None = None, seed: int = 0, limit: int | None = None
) -> ImageData:
    """The data set `name`: one of `DATA_SETS`, or `folder:PATH`, or `folder:PATH@SIZE`.

    Where a data set has a test split, a tenth of its training images becomes the validation split;
    otherwise it is cut 60/20/20. Both are stratified and fixed by `seed`.
    `data_dir`: where torchvision's files are looked for and downloaded to (`DEFAULT_DIR` unless
    said), and where the decoded images of a folder are kept for the next time (nowhere unless
    said). `limit`: at most that many images a split, stratified too.

    Raises `DataError` if the name is unknown, or its images are missing or unreadable.
    """
    if limit is not None and limit < 1:
        raise DataError(f"data '{name}': the limit must be at least 1 image, but got {limit}.")
    source = find_source(name, Path(data_dir).expanduser() if data_dir else None)
    splits = [
        Split(part.take(kept), part.labels[torch.from_numpy(kept)])
        for part, rows in split_parts(source, seed)
        for kept in [rows[at_most(part.labels[torch.from_numpy(rows)], limit, seed)]]
    ]
    return image_data(source, (splits[0], splits[1], splits[2]))


load_once = lru_cache(maxsize=2)(load_data)
"""`load_data`, remembered by its arguments: a worker process reads its data set once."""


def split_parts(source: Source, seed: int) -> list[tuple[Part, Rows]]:
    """For train, validation and test: the part they are taken from, and its rows."""
    train, test = source.train, source.test
    if test is None:
        return [(train, rows) for rows in stratified(train.labels, THREE_WAY, seed)]
    train_rows, validation_rows = stratified(train.labels, TWO_WAY, seed)
    everything = at_most(test.labels, None, seed)
    return [(train, train_rows), (train, validation_rows), (test, everything)]


def find_source(name: str, data_dir: Path | None) -> Source:
    """The source that `name` stands for.

    Its module is imported here and not above, since torchvision and scikit-learn take longer to
    import (2.6 s and 0.8 s) than a whole short training does, and no data set needs both.
    """
    if name.startswith(FOLDER):
        from neptune_nas.data.folder import load_folder

        return load_folder(name.removeprefix(FOLDER), data_dir)
    if name == "digits":
        from neptune_nas.data.digits import load_digits

        return load_digits()
    if name in TORCHVISION:
        from neptune_nas.data.torchvision_sets import load_torchvision

        return load_torchvision(name, data_dir or DEFAULT_DIR.expanduser())
    raise DataError(f"data '{name}' is unknown: {one_of((*DATA_SETS, FOLDER + 'PATH'), name)}")

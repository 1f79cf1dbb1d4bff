"""Milliseconds per batch of images from a file: six ways to gather them for the loop.

Run it with `python -m benchmarks.streaming --side 64`. The images are noise, in a file that is
deleted at the end. *Epoch*: a whole epoch, with none of the file in memory at its start. *Never*:
batches with no image in memory, as the file is dropped from memory after each; this is typical of
a file far larger than the memory. The ways take turns. Linux only.
"""

import argparse
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from neptune_nas.data.image_file import ImageFile
from neptune_nas.data.images import ImageData, Split
from neptune_nas.training.feed import Feed, gather_rows, prefetch
from neptune_nas.training.loop import train_epoch
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import make_setup, make_state

CPU = torch.device("cpu")
CLASSES = tuple("0123456789")
WORKERS = 2
NOISE = 2**26  # bytes per write


@dataclass(frozen=True, slots=True, eq=False)
class Batches(Dataset[tuple[Tensor, Tensor]]):
    """The batches of a split by rows; `forget`: drops the file from memory after each."""

    split: Split
    forget: Callable[[], None]

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        batch = gather_rows(self.split, rows)
        self.forget()
        return batch.images, batch.targets

    def split_of(self, rows: Tensor) -> Split:
        """Return a batch for the loop."""
        return Split(*self[rows])


Way = Callable[[Batches, Sequence[Tensor]], Iterator[Split]]


def in_turn(batches: Batches, rows: Sequence[Tensor]) -> Iterator[Split]:
    """Yield each batch, gathered when it is due."""
    return map(batches.split_of, rows)


def by_thread(batches: Batches, rows: Sequence[Tensor]) -> Iterator[Split]:
    """Yield each batch, gathered ahead by a thread, as in the toolkit."""
    with ThreadPoolExecutor(1) as reader:
        yield from prefetch(reader, batches.split_of, rows)


def by_workers(batches: Batches, rows: Sequence[Tensor]) -> Iterator[Split]:
    """Yield each batch, gathered by torch's worker processes."""
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        batches,
        batch_size=None,
        sampler=rows,
        num_workers=WORKERS,
    )
    for images, labels in loader:
        yield Split(images, labels)


@dataclass(frozen=True, slots=True, eq=False)
class OneWay(Feed):
    """A feed of up to `most` batches in one of the ways."""

    way: Way
    forget: Callable[[], None]
    most: int

    @contextmanager
    def batches(self, rows: Sequence[Tensor]) -> Iterator[Iterator[Split]]:
        """Yield the first of the batches."""
        yield self.way(Batches(self.split, self.forget), rows[: self.most])


def write(path: Path, size: int, side: int) -> int:
    """Write noise of about `size` bytes, and return the number of images."""
    count, noise = size // (3 * side * side), np.random.default_rng(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, 3, side, side)}
    left = count * 3 * side * side
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        while left:
            left -= file.write(noise.bytes(min(left, NOISE)))
        os.fsync(file.fileno())
    return count


@contextmanager
def opened(path: Path) -> Iterator[tuple[Split, Callable[[], None]]]:
    """Yield the file's images, and a function that drops them from memory."""
    array = np.load(path, mmap_mode="c")
    handle, mapping = os.open(path, os.O_RDONLY), array.base

    def forget() -> None:
        mapping.madvise(mmap.MADV_DONTNEED)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)

    try:
        yield Split(torch.from_numpy(array), torch.arange(len(array)) % len(CLASSES)), forget
    finally:
        os.close(handle)


def small_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 4, 4),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, len(CLASSES)),
    )


def milliseconds(path: Path, way: Way, *, by_bytes: bool, cold: int | None, size: int) -> float:
    """Return the time per batch in one epoch; `cold`: for this many batches, none in memory."""
    with opened(path) as (mapped, forget):
        forget()
        split = replace(mapped, file=ImageFile(path) if by_bytes else None)
        few = Split(mapped.images[:2], mapped.targets[:2])
        half = (0.5,) * 3
        data = ImageData("noise", few, few, few, CLASSES, half, half, "")
        recipe = Recipe(batch_size=size, precision="fp32")
        setup = make_setup(small_network(), data, recipe, CPU)
        most = cold or -(-len(split) // size)
        after = forget if cold else lambda: None
        setup = replace(setup, train=OneWay(split, CPU, True, way, after, most))
        state = make_state(setup, epochs=1, seed=0)
        start = perf_counter()
        train_epoch(setup, state)
        return (perf_counter() - start) / most * 1000


def main() -> None:
    """Print a row per way: from the map and by bytes, in an epoch and never in memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--cold-batches", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", help="where the file is written (default: the system's)")
    options = parser.parse_args()

    torch.set_num_threads(1)
    ways = {"in turn": in_turn, "a thread": by_thread, f"{WORKERS} workers": by_workers}
    with TemporaryDirectory(dir=options.dir) as folder:
        path = Path(folder) / "noise.npy"
        count = write(path, int(options.gigabytes * 1e9), options.side)
        print(f"{count:,} images of 3x{options.side}x{options.side}; milliseconds a batch")
        rounds = [
            {
                (by_bytes, name, cold): milliseconds(
                    path, way, by_bytes=by_bytes, cold=cold, size=options.batch_size
                )
                for by_bytes in (False, True)
                for name, way in ways.items()
                for cold in (None, options.cold_batches)
            }
            for _ in range(options.rounds)
        ]
    for by_bytes in (False, True):
        for name in ways:
            epoch, never = (
                median(times[by_bytes, name, cold] for times in rounds)
                for cold in (None, options.cold_batches)
            )
            source = "by bytes" if by_bytes else "mapped"
            print(f"{source:9} {name:10} epoch {epoch:7.1f}   never {never:7.1f}")


if __name__ == "__main__":
    main()

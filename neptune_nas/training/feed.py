"""The batches of a split on a device, from images held there or streamed to it."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from neptune_nas.data.images import Split
from neptune_nas.devices.device import send
from neptune_nas.devices.memory import free_memory, host_memory

_SHARE = 0.25  # of the memory, for held images: the rest is for training
AHEAD = 2  # batches


def must_stream(size: int, room: int) -> bool:
    """Return whether images of `size` bytes are too large to hold in a memory of `room` bytes.

    >>> must_stream(25, room=100), must_stream(26, room=100)
    (False, True)
    """
    return size > _SHARE * room


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """A split's images on `device`: held there, or streamed to it."""

    split: Split
    device: torch.device
    streamed: bool

    def __len__(self) -> int:
        return len(self.split)

    @contextmanager
    def batches(self, rows: Sequence[Tensor]) -> Iterator[Iterator[Split]]:
        """Yield the batches of `rows` (on the host) in turn, equal whether held or streamed.

        Streamed batches are gathered ahead by a thread that ends with the context; its errors are
        raised when the batch is due.
        """
        if not self.streamed:
            there = torch.cat([*rows]).to(self.device)
            yield map(self.split.__getitem__, torch.split(there, [*map(len, rows)]))
            return
        gather = partial(gather_rows, self.split, pinned=self.device.type == "cuda")
        reader = ThreadPoolExecutor(1)
        try:
            yield map(self._sent, prefetch(reader, gather, rows))
        finally:
            reader.shutdown(cancel_futures=True)

    def _sent(self, batch: Split) -> Split:
        return Split(send(batch.images, self.device), send(batch.targets, self.device))


def prefetch(
    reader: ThreadPoolExecutor, gather: Callable[[Tensor], Split], rows: Sequence[Tensor]
) -> Iterator[Split]:
    """Yield `gather` of each of `rows`, prefetching `AHEAD` of them."""
    coming: deque[Future[Split]] = deque()
    for some in rows:
        coming.append(reader.submit(gather, some))
        if len(coming) > AHEAD:
            yield coming.popleft().result()
    while coming:
        yield coming.popleft().result()


def gather_rows(split: Split, rows: Tensor, *, pinned: bool = False) -> Split:
    """Return rows of a split on the host; `pinned` lets CUDA copy them asynchronously."""
    shape = len(rows), *split.images.shape[1:]
    images = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
    if split.file:
        split.file.read(rows, images)
    else:
        torch.index_select(split.images, 0, rows, out=images)
    return Split(images, split.targets[rows])


def make_feeds(
    splits: Sequence[Split], device: torch.device, room: int | None = None
) -> tuple[Feed, ...]:
    """Return the splits on `device`: all held, or all streamed where holding them takes too much.

    On the host, where images in memory lie already, only those mapped from files take any. `room`:
    bytes of the memory where they would be held (default: the host's, or what is free on a GPU).
    """
    on_host = device.type == "cpu"
    size = sum(split.nbytes for split in splits if split.file or not on_host)
    if room is None:
        room = host_memory() if on_host else free_memory(device)
    streamed = must_stream(size, room)
    return tuple(
        Feed(split if streamed else split.to(device), device, streamed) for split in splits
    )

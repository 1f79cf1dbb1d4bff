"""How many workers a GPU has memory for."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest

CONTEXT = 667 * 10**6  # bytes
"""What CUDA itself takes in a process: torch's with every kernel loaded, by
https://github.com/pytorch/pytorch/pull/86509, and 287 MB with next to none; kernels are loaded when
they are first used.
"""

SAFE = 0.8  # of the free memory: the rest is for what torch's allocator rounds up and cuDNN borrows


@dataclass(frozen=True, slots=True)
class Need:
    """The bytes of a GPU that one worker needs: for its copy of the data, if any, and training."""

    data: int
    training: int

    @property
    def total(self) -> int:
        """All of it, with what CUDA takes."""
        return CONTEXT + self.data + self.training


def fitting(free: int, need: int, most: int) -> int:
    """How many workers that need so many bytes each a GPU with `free` bytes takes: 1 to `most`.

    >>> fitting(free=10, need=3, most=8), fitting(10, 3, 1), fitting(1, 3, 8)
    (2, 1, 1)
    """
    return max(1, min(int(SAFE * free) // need, most))


def dealt(counts: Mapping[int, int]) -> tuple[int, ...]:
    """The GPU of each worker, dealt in turn, from the number of workers on each GPU.

    >>> dealt({0: 3, 1: 1})
    (0, 1, 0, 0)
    """
    turns = zip_longest(*([gpu] * count for gpu, count in counts.items()))
    return tuple(gpu for gpu in chain.from_iterable(turns) if gpu is not None)

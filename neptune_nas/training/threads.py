"""The number of torch's threads with which a network trains fastest, by a few steps with each."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch
from torch import nn

from neptune_nas.data.images import ImageData, Split
from neptune_nas.devices.device import FORMATS
from neptune_nas.devices.numerics import Numerics
from neptune_nas.devices.processor import torch_threads, usable_cores
from neptune_nas.nn.convolutions import mend
from neptune_nas.tasks.augmentation import Moves
from neptune_nas.training.loop import batches, epoch_moves, random_state, take_step
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import RunState, Setup, make_setup, make_state

_EPOCHS = 1_000  # of a schedule, whose end the timed steps do not reach
_BATCHES, _STEPS = 4, 8
_SECONDS = 1.0  # for one number of threads
_GAIN = 1.05  # less is noise, and fewer threads leave cores to others


@dataclass(frozen=True, slots=True)
class ThreadTimes:
    """The seconds of a training step by the number of threads, in rising order."""

    seconds: Mapping[int, float]

    @property
    def fastest(self) -> int:
        """The fewest threads that are as fast as any, but for a few percent of noise."""
        least = min(self.seconds.values())
        return next(n for n, seconds in self.seconds.items() if seconds <= _GAIN * least)

    def __str__(self) -> str:
        """Return a sentence on what was timed.

        >>> print(ThreadTimes({1: 0.02, 2: 0.0123}))
        2 threads train fastest: a step takes 20 ms with 1, 12.3 ms with 2.
        >>> print(ThreadTimes({1: 23.1, 2: 12.04}))
        2 threads train fastest: a step takes 23.1 s with 1, 12 s with 2.
        """
        times = ", ".join(
            f"{1e3 * s:.3g} ms with {n}" if s < 1 else f"{s:.3g} s with {n}"
            for n, s in self.seconds.items()
        )
        trains = "1 thread trains" if self.fastest == 1 else f"{self.fastest} threads train"
        return f"{trains} fastest: a step takes {times}."


def thread_counts(cores: int) -> tuple[int, ...]:
    """Return the numbers of threads to try.

    >>> thread_counts(1), thread_counts(6)
    ((1,), (1, 2, 4, 6))
    """
    doubled = (2**i for i in range(cores.bit_length()))
    return tuple(sorted({*doubled, cores}))


def time_threads(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    numerics: Numerics,
    counts: Sequence[int] | None = None,
) -> ThreadTimes | None:
    """Time a few training steps of a network on the processor; its weights change.

    `counts`: rising (default: 1, 2, 4 and so on up to the usable cores). Returns None for a single
    count, and for a network that cannot be trained: the training itself says why. Torch's random
    state and number of threads are left unchanged.
    """
    counts = thread_counts(usable_cores()) if counts is None else counts
    if len(counts) < 2:
        return None
    device = torch.device("cpu")
    with suppress(RuntimeError, ValueError, MemoryError), random_state(device, 0):
        mend(network).to(memory_format=FORMATS[numerics.layout])
        setup = make_setup(network, data, recipe, device, numerics=numerics)
        state = make_state(setup, _EPOCHS, 0, averaged=True)
        rows = batches(len(setup.train), recipe.batch_size, state.generator)[:_BATCHES]
        setup.network.train()
        moves = epoch_moves(setup, state)
        with setup.train.batches(rows) as found:
            some = [(batch, moves[each]) for each, batch in zip(rows, found, strict=True)]
        return ThreadTimes({count: _seconds_of_step(setup, state, some, count) for count in counts})
    return None


def _seconds_of_step(
    setup: Setup, state: RunState, some: Sequence[tuple[Split, Moves]], threads: int
) -> float:
    """Return the median seconds of training steps with so many threads, after one to warm up."""
    seconds: list[float] = []
    with torch_threads(threads):
        take_step(setup, state, *some[0])
        while len(seconds) < _STEPS and sum(seconds) < _SECONDS:
            started = perf_counter()
            take_step(setup, state, *some[len(seconds) % len(some)])
            seconds.append(perf_counter() - started)
    return median(seconds)

"""Measured latency of a built network, and the peak memory of its tensors.

Latency is wall-clock time, as a user sees it, or processor time, which does not depend on the other
load of the machine.
"""

import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Annotated, Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from neptune_nas.devices.processor import torch_threads
from neptune_nas.files.rules import Size, at_least
from neptune_nas.files.schema import check_value
from neptune_nas.nn.builder import Shape


@dataclass(frozen=True, slots=True)
class Latency:
    """Wall-clock time of one forward pass of a whole batch, in eval mode.

    `median` and `spread` (interquartile range): ms. `device`: as torch names it. `threads`: of
    torch, where the device is a CPU.
    """

    median: float
    spread: float
    batch: int
    repeats: int
    threads: int
    device: str


def measure_latency(
    network: nn.Module,
    input_shape: Shape,
    batch: int = 1,
    repeats: int = 30,
    threads: int = 1,
) -> Latency:
    """Time `repeats` passes of `batch` random images `(C, H, W)`, after a tenth as many warm-ups.

    The time is wall clock, so other load on the machine counts. It runs on the device of the
    network's parameters; mode and number of threads are restored.
    """
    check_value(batch, Size, "batch")
    check_value(repeats, Annotated[int, at_least(2)], "repeats")
    check_value(threads, Size, "threads")
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    images = torch.rand(batch, *input_shape, device=device)
    with torch_threads(threads):
        times = passes(network, images, repeats, time.perf_counter)
    low, _, high = quantiles(times, n=4)
    return Latency(median(times), high - low, batch, repeats, threads, str(device))


def processor_time(network: nn.Module, input_shape: Shape, repeats: int = 30) -> float:
    """Return the processor time in ms that one thread takes for one random image, in eval mode.

    It is the median of `repeats` passes, after a tenth as many untimed ones. Other processes and
    threads do not count. The network must be on the CPU.
    """
    with torch_threads(1):
        return median(passes(network, torch.rand(1, *input_shape), repeats, time.thread_time))


def passes(
    network: nn.Module, images: torch.Tensor, repeats: int, clock: Callable[[], float]
) -> list[float]:
    """Return the ms of each of `repeats` passes, by a clock that counts seconds."""
    with evaluating(network), torch.inference_mode():
        for _ in range(max(1, repeats // 10)):
            timed(network, images, clock)
        return [timed(network, images, clock) for _ in range(repeats)]


def timed(network: nn.Module, images: torch.Tensor, clock: Callable[[], float]) -> float:
    """Return the ms of one pass, including the device's queue."""
    start = clock()
    network(images)
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
    return (clock() - start) * 1e3


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put the network into eval mode inside the context, and restore its mode afterwards."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def peak_memory(
    network: nn.Module, input_shape: Shape, batch: int = 1, *, training: bool = False
) -> int:
    """Return the peak bytes of live tensors in one pass over `batch` images.

    Counted on the meta device: parameters, images and all intermediate results, but neither the
    workspace of kernels nor the overhead of an allocator. With `training`, a backward pass follows,
    so that the tensors saved for it, and the gradients, count too.
    """
    ghost = deepcopy(network).to("meta").train(training)
    meter = MemoryMeter()
    with meter:
        for tensor in (*ghost.parameters(), *ghost.buffers()):
            meter.note(tensor)
        images = torch.empty(batch, *input_shape, device="meta")
        with torch.set_grad_enabled(training):
            logits = ghost(images)
            if training:
                logits.sum().backward()
    return meter.peak


class MemoryMeter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's class has no types
    """Tracks the bytes of all live storages, and their peak."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's class has no types
        self.alive = self.peak = 0
        self.known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and record its outputs."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.note(leaf)
        return out

    def note(self, tensor: torch.Tensor) -> None:
        """Count the storage of a tensor until it is freed."""
        storage = tensor.untyped_storage()
        if storage not in self.known:
            self.known.add(storage)
            self.alive += storage.nbytes()
            self.peak = max(self.peak, self.alive)
            weakref.finalize(storage, self.forget, storage.nbytes())

    def forget(self, size: int) -> None:
        """Subtract the bytes of a storage that was freed."""
        self.alive -= size


TIMERS: Mapping[str, Callable[[nn.Module, Shape], float]] = {"latency": processor_time}
"""The function that measures each timed metric of a built network, by metric name."""

"""Measured latency of a built network.

Latency is wall-clock time, as a user sees it, or processor time, which does not depend on the other
load of the machine.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Annotated

import torch
from torch import nn

from neptune_nas.devices.processor import torch_threads
from neptune_nas.files.rules import Size, Threads, at_least
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
    check_value(threads, Threads, "threads")
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    images = torch.rand(batch, *input_shape, device=device)
    with torch_threads(threads):
        times = passes(network, images, repeats, time.perf_counter)
    low, _, high = quantiles(times, n=4)
    return Latency(median(times), high - low, batch, repeats, threads, str(device))


def processor_time(
    network: nn.Module,
    input_shape: Shape,
    repeats: int = 30,
    clock: Callable[[], float] = time.thread_time,
) -> float:
    """Return the processor time in ms that one thread takes for one random image, in eval mode.

    It is the median of `repeats` passes, after a tenth as many untimed ones. Other processes and
    threads do not count. The network must be on the CPU. `clock`: counts the thread's seconds.
    """
    with torch_threads(1):
        return median(passes(network, torch.rand(1, *input_shape), repeats, clock))


def passes(
    network: nn.Module, images: torch.Tensor, repeats: int, clock: Callable[[], float]
) -> list[float]:
    """Return the ms of each of `repeats` passes, by a clock that counts seconds."""
    with _eval_mode(network), torch.inference_mode():
        for _ in range(max(1, repeats // 10)):
            _pass_time(network, images, clock)
        return [_pass_time(network, images, clock) for _ in range(repeats)]


def _pass_time(network: nn.Module, images: torch.Tensor, clock: Callable[[], float]) -> float:
    """Return the ms of one pass, including the device's queue."""
    start = clock()
    network(images)
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
    return (clock() - start) * 1e3


@contextmanager
def _eval_mode(network: nn.Module) -> Iterator[None]:
    """Put the network into eval mode inside the context, and restore its mode afterwards."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


TIMERS: Mapping[str, Callable[[nn.Module, Shape], float]] = {"latency": processor_time}
"""The function that measures each timed metric of a built network, by metric name."""

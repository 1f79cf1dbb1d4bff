"""The precision and layout in which this machine trains fastest: timed once, then cached.

A small network of the usual kinds of layers takes training steps in each candidate.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

import torch
from torch import nn

from neptune_nas.devices.device import FORMATS, autocast_for
from neptune_nas.devices.numerics import Numerics, Precision
from neptune_nas.devices.processor import cpu_name, torch_threads
from neptune_nas.errors import NeptuneError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.cache import cache_folder
from neptune_nas.files.documents import parse_json
from neptune_nas.nn.heads import StemBlock
from neptune_nas.nn.network import Neptune
from neptune_nas.nn.stage import StageBlock
from neptune_nas.nn.substages import (
    Convolution,
    FeedForwardBlock,
    InvertedResidualBlock,
    SelfAttention,
)

VERSION = 3  # of everything below: results of other versions are ignored
USUAL = Numerics("fp32")
CANDIDATES = (
    USUAL,
    Numerics("fp32", "contiguous"),
    Numerics("bf16"),
    Numerics("bf16", "contiguous"),
)
GAIN = 1.15  # less is within the variation between networks: docs/benchmarks.md
_HOPELESS = 4.0  # times the usual step: a sign that bfloat16 is emulated
FIRST = 2  # steps, the faster of which may rule out a candidate: the first is often slow
STEPS = 4  # that count, after the first ones
_BATCH, _SIDE, _WIDTH, _CLASSES = 64, 16, 32, 10
_LARGE = 31 * 2**20  # bytes

_Times = Mapping[Numerics, Sequence[float]]
"""CPU-seconds of training steps in each candidate."""


def numerics_for(precision: Precision, device: str) -> Numerics:
    """Return the precision and layout to train in; for "auto", the fastest on the processor.

    On an accelerator "auto" follows the rule of `Numerics`, which has yet to be measured there.
    """
    is_open = precision == "auto" and device == "cpu"
    return remembered_numerics(cache_file()) if is_open else Numerics(precision)


@lru_cache(maxsize=8)
def remembered_numerics(file: Path | None) -> Numerics:
    """Return the result for this machine in `file`; if there is none, probe and add it."""
    known, key = read_cache(file), machine_key()
    if key in known:
        return known[key]
    result = probe()
    if file is not None:
        with suppress(NeptuneError):  # it is only a cache
            write_cache(file, {**known, key: result})
    return result


def cache_file() -> Path | None:
    """Return the path of the cached results; None for a user without a home."""
    folder = cache_folder()
    return folder / "numerics.json" if folder else None


def machine_key() -> str:
    """Return the key of a result: the processor, torch's version and the probe's, in a line."""
    name = f"{cpu_name()}, {torch.backends.cpu.get_cpu_capability()}"
    return f"{name}, torch {torch.__version__}, probe {VERSION}"


def read_cache(file: Path | None) -> dict[str, Numerics]:
    """Return the results in a file by key; empty if it is missing or damaged."""
    try:
        content: Any = parse_json(read_file(file)) if file else {}
        return {key: Numerics(**value) for key, value in content.items()}
    except (NeptuneError, AttributeError, TypeError):
        return {}


def write_cache(file: Path, known: Mapping[str, Numerics]) -> None:
    """Write results by key; raises `NeptuneError` if the file cannot be written."""
    content = {key: asdict(numerics) for key, numerics in known.items()}
    write_file(file, json.dumps(content, indent=2) + "\n")


def probe(make: Callable[[Numerics], "Runner"] | None = None) -> Numerics:
    """Return what to train in on this processor; takes about a second.

    On one thread, whose own time can be read, so that what other processes take does not count:
    with several the answer would depend on how busy the machine is. Leaves torch's random state
    as it was. `make`: as of `time_candidates`.
    """
    with torch_threads(1), torch.random.fork_rng([]):
        return fastest(time_candidates(make))


def fastest(times: _Times) -> Numerics:
    """Return the candidate with the least median, if it gains enough over the usual one."""
    middle = {numerics: median(seconds) for numerics, seconds in times.items()}
    best = min(middle, key=lambda numerics: middle[numerics])
    return best if middle[USUAL] >= GAIN * middle[best] else USUAL


def time_candidates(make: Callable[[Numerics], "Runner"] | None = None) -> _Times:
    """Time the candidates in turn, so that whatever else the machine does falls on all.

    `make`: makes what trains in a candidate (default: `Runner`).
    """
    # Once so much is freed, glibc gives less back to the system and asks for less: as in a worker
    # (`keep_pages`), and without it the larger maps of float32 would seem slower.
    torch.empty(_LARGE, dtype=torch.uint8)
    runners = list(map(make or Runner, CANDIDATES))
    first = {runner.numerics: min(runner.step() for _ in range(FIRST)) for runner in runners}
    able = [each for each in runners if first[each.numerics] <= _HOPELESS * first[USUAL]]
    for _ in range(STEPS):
        for runner in able:
            runner.seconds.append(runner.step())
    return {runner.numerics: runner.seconds for runner in able}


@dataclass
class Runner:
    """The network of the probe that trains in a candidate, and the seconds of its steps.

    `clock`: seconds of the thread that takes them.
    """

    numerics: Numerics
    seconds: list[float] = field(default_factory=list)
    clock: Callable[[], float] = thread_time

    def __post_init__(self) -> None:
        layout = FORMATS[self.numerics.layout]
        self.network = mixed_network().to(memory_format=layout)
        self.images = torch.rand(_BATCH, 3, _SIDE, _SIDE).contiguous(memory_format=layout)
        self.autocast = autocast_for(self.numerics.precision, torch.device("cpu"))

    def step(self) -> float:
        """Take one forward and backward pass; return its CPU-seconds."""
        started = self.clock()
        self.network.zero_grad(set_to_none=True)
        with self.autocast:
            outputs = self.network(self.images)
        torch.autograd.backward(outputs.float().square().mean())
        return self.clock() - started


def mixed_network() -> nn.Module:
    """Build a small network of dense and depthwise convolutions, self-attention and an MLP."""
    substages = [
        Convolution(_WIDTH, _WIDTH),
        InvertedResidualBlock(_WIDTH, _WIDTH, 3),
        SelfAttention(_WIDTH),
        FeedForwardBlock(_WIDTH),
    ]
    stage = StageBlock(_WIDTH, _WIDTH, norm="batch", substages=substages)
    return Neptune(classes=_CLASSES, stem=StemBlock(3, _WIDTH), stages=[stage])

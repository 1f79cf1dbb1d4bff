"""Which mode trains fastest on this processor: small networks of each kind, timed step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import thread_time

import torch
from torch import nn

from neptune_nas.devices.mode import KINDS, Kind, Mode, Modes
from neptune_nas.devices.precision import FORMATS, autocast_for
from neptune_nas.devices.threads import torch_threads
from neptune_nas.nn.heads import Stem
from neptune_nas.nn.network import Neptune
from neptune_nas.nn.stage import Stage
from neptune_nas.nn.substages import Convolution, FeedForward, InvertedResidual, SelfAttention

VERSION = 2  # of all below: what was found by another is not believed
USUAL = Mode("fp32")
MODES = (USUAL, Mode("fp32", "contiguous"), Mode("bf16"), Mode("bf16", "contiguous"))
GAIN = 1.15  # less is within what a stand-in misses of real networks: docs/benchmarks.md, Modes
HOPELESS = 4.0  # times the usual mode's step: bfloat16 is emulated there
FIRST = 2  # steps after which a mode may be given up, by the faster; a first one is often slow
STEPS = 4  # that count, after the first ones
BATCH, SIDE, WIDTH, CLASSES = 64, 16, 32, 10
LARGE = 31 * 2**20  # bytes

Times = Mapping[Kind, Mapping[Mode, Sequence[float]]]
"""CPU-seconds of training steps of each kind of network in each mode."""


def choose(times: Times) -> Modes:
    """For each kind the mode of the least median, if that gains enough over the usual one."""
    return Modes(**{kind: fastest(times[kind]) for kind in KINDS})


def fastest(times: Mapping[Mode, Sequence[float]]) -> Mode:
    """The mode of one kind."""
    middle = {mode: median(seconds) for mode, seconds in times.items()}
    best = min(middle, key=lambda mode: middle[mode])
    return best if middle[USUAL] >= GAIN * middle[best] else USUAL


def probe() -> Modes:
    """The modes to train in on this processor; takes about a second.

    On one thread, whose own time can be read, so that what other processes take does not count:
    with several the answer would depend on how busy the machine is. Leaves torch's random state
    as it was.
    """
    with torch_threads(1), torch.random.fork_rng([]):
        return choose(measured())


def measured() -> Times:
    """The times, the modes taking turns, so that whatever else the machine does falls on all."""
    # Once so much is freed, glibc gives less back to the system and asks for less: as in a worker
    # (`neptune_nas.devices.malloc`), and without it the larger maps of float32 would seem slower.
    torch.empty(LARGE, dtype=torch.uint8)
    runners = [Runner(kind, mode) for kind in KINDS for mode in MODES]
    first = {(r.kind, r.mode): min(r.step() for _ in range(FIRST)) for r in runners}
    able = [r for r in runners if first[r.kind, r.mode] <= HOPELESS * first[r.kind, USUAL]]
    for _ in range(STEPS):
        for runner in able:
            runner.seconds.append(runner.step())
    return {
        kind: {runner.mode: runner.seconds for runner in able if runner.kind == kind}
        for kind in KINDS
    }


@dataclass
class Runner:
    """A stand-in for a kind of network that trains in a mode, and the seconds of its steps."""

    kind: Kind
    mode: Mode
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        layout = FORMATS[self.mode.layout]
        self.network = stand_in(self.kind).to(memory_format=layout)
        self.images = torch.rand(BATCH, 3, SIDE, SIDE).contiguous(memory_format=layout)
        self.autocast = autocast_for(self.mode.precision, torch.device("cpu"))

    def step(self) -> float:
        """The CPU-seconds of one forward and backward pass."""
        started = thread_time()
        self.network.zero_grad(set_to_none=True)
        with self.autocast:
            outputs = self.network(self.images)
        torch.autograd.backward(outputs.float().square().mean())
        return thread_time() - started


def stand_in(kind: Kind) -> nn.Module:
    """A small network of a kind, with what the networks of that kind are mostly made of."""
    norm, ops = parts_of(kind)
    stage = Stage(WIDTH, WIDTH, norm=norm, substages=ops)
    return Neptune(classes=CLASSES, stem=Stem(3, WIDTH), stages=[stage])


def parts_of(kind: Kind) -> tuple[str, list[nn.Module]]:
    """A stand-in's norm and SubStages."""
    match kind:
        case "attention":
            mixed = [Convolution(WIDTH, WIDTH), SelfAttention(WIDTH), FeedForward(WIDTH)]
            return "layer", mixed
        case "depthwise":
            return "batch", [InvertedResidual(WIDTH, WIDTH, kernel) for kernel in (3, 5)]
        case "dense":
            return "batch", [Convolution(WIDTH, WIDTH) for _ in range(2)]

"""Training images a CPU-second in each mode, for real networks beside the probe's stand-ins.

Run it with `python -m benchmarks.precision`. One thread; the modes take turns, and medians count.
Networks are samples of shipped spaces and hand-designed ones, on images of noise. *Chosen* is what
the probe's choice for the network's kind gains over fp32 channels_last; *best*, the best mode.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from statistics import geometric_mean, median
from time import perf_counter, thread_time

import torch
from torch import nn

from neptune_nas.data.images import ImageData, Split
from neptune_nas.devices.malloc import keep_pages
from neptune_nas.devices.mode import KINDS, Kind, Mode, Modes
from neptune_nas.devices.precision import FORMATS
from neptune_nas.devices.threads import torch_threads
from neptune_nas.nn.builder import build
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.space import find_space
from neptune_nas.training.kinds import kind_of
from neptune_nas.training.loop import train_epoch
from neptune_nas.training.probe import MODES, USUAL, choose, measured
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.setup import make_setup
from neptune_nas.training.state import make_state

CPU = torch.device("cpu")
SHAPE, CLASSES = (3, 32, 32), 10
RECIPE = Recipe(crop=4, flip=True)
SPACES = {"cifar10": 5, "default": 2, "attention": 2, "mobile": 2, "tiny": 1}
REFERENCES = ("resnet8", "resnet20", "mobilenet_v2", "shufflenet_v2_x0_5")


@dataclass
class Case:
    """A network under test, and the images a CPU-second of it in each mode."""

    name: str
    network: nn.Module
    kind: Kind
    rates: dict[Mode, list[float]] = field(default_factory=lambda: {mode: [] for mode in MODES})

    def gain(self, mode: Mode) -> float:
        """How many times as fast as the usual mode."""
        return median(self.rates[mode]) / median(self.rates[USUAL])


def networks(seed: int) -> Iterator[tuple[str, nn.Module]]:
    """The networks by name: samples of spaces, then hand-designed ones."""
    for name, count in SPACES.items():
        space, random = find_space(name), Random(seed)
        for number in range(count):
            yield f"{name} {number}", build(space.sample(random), SHAPE, CLASSES, seed=0)
    for name in REFERENCES:
        yield name, ReferenceNetwork(name, SHAPE, CLASSES).build(seed=0)


def noise(count: int) -> ImageData:
    """Images of noise, as many to train on."""
    images = torch.randint(256, (count, *SHAPE), dtype=torch.uint8)
    split, half = Split(images, torch.arange(count) % CLASSES), (0.5,) * 3
    return ImageData("noise", split, split, split, tuple("0123456789"), half, half, "")


def rate(network: nn.Module, mode: Mode, data: ImageData) -> float:
    """Training images a CPU-second of one epoch in a mode."""
    network.to(memory_format=FORMATS[mode.layout])
    setup = make_setup(network, data, RECIPE, CPU, mode=mode)
    state = make_state(setup, epochs=1, seed=0)
    started = thread_time()
    train_epoch(setup, state)
    return len(data.train) / (thread_time() - started)


def measure(case: Case, data: ImageData, rounds: int) -> None:
    """Fill in a case's rates; a first round is warm-up."""
    for turn in range(rounds + 1):
        for mode in MODES:
            found = rate(case.network, mode, data)
            if turn:
                case.rates[mode].append(found)


def probe_said(probes: int) -> Modes:
    """What the probe chooses, each probe in a line; the last one's choice."""
    for _ in range(probes):
        wall, started = perf_counter(), thread_time()
        times = measured()
        print(f"probe: {thread_time() - started:.2f} CPU-s, {perf_counter() - wall:.2f} s of wall")
        for kind in KINDS:
            usual = median(times[kind][USUAL])
            gains = {str(mode): usual / median(taken) for mode, taken in times[kind].items()}
            shown = ", ".join(f"{mode} {gain:.2f}" for mode, gain in gains.items())
            print(f"  {kind:10} {1000 * usual:6.1f} ms a step; {shown}")
        modes = choose(times)
        print(f"  chosen: {modes}")
    return modes


def main() -> None:
    """Print what the probe says, then a row a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=128, help="training images a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--probes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    with torch_threads(1):
        modes = probe_said(options.probes)
        keep_pages()
        data, cases = noise(options.images), list[Case]()
        print(f"\n{'network':19}{'kind':10}{''.join(f'{mode!s:>20}' for mode in MODES)}  chosen")
        for name, network in networks(options.seed):
            case = Case(name, network, kind_of(network))
            measure(case, data, options.rounds)
            cases.append(case)
            rates = "".join(
                f"{median(case.rates[mode]):13.0f} ({case.gain(mode):.2f})" for mode in MODES
            )
            chosen = case.gain(modes.of(case.kind))
            print(f"{name:19}{case.kind:10}{rates}  {chosen:.2f}", flush=True)
    gains = geometric_mean(case.gain(modes.of(case.kind)) for case in cases)
    best = geometric_mean(max(map(case.gain, MODES)) for case in cases)
    rule = geometric_mean(case.gain(Mode("bf16")) for case in cases)
    print(f"geometric means: chosen {gains:.2f}, always bf16 {rule:.2f}, best {best:.2f}")


if __name__ == "__main__":
    main()

"""Training images per CPU-second in each precision and layout, beside the probe's choice.

Run it with `python -m benchmarks.precision`. One thread; the candidates take turns, and medians
count.
Networks are samples of shipped spaces and hand-designed ones, on images of noise. *Chosen* is what
the probe's choice gains over fp32, channels last; *best*, the best of the candidates.
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
from neptune_nas.devices.device import FORMATS
from neptune_nas.devices.memory import keep_pages
from neptune_nas.devices.numerics import Numerics
from neptune_nas.devices.processor import torch_threads
from neptune_nas.nn.builder import build
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.space import find_space
from neptune_nas.training.loop import train_epoch
from neptune_nas.training.probe import CANDIDATES, USUAL, fastest, time_candidates
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import make_setup, make_state

CPU = torch.device("cpu")
SHAPE, CLASSES = (3, 32, 32), 10
RECIPE = Recipe(crop=4, flip=True)
SPACES = {"cifar10": 5, "default": 2, "attention": 2, "mobile": 2, "tiny": 1}
REFERENCES = ("resnet8", "resnet20", "mobilenet_v2", "shufflenet_v2_x0_5")


@dataclass
class Case:
    """A network under test, and its images per CPU-second in each candidate."""

    name: str
    network: nn.Module
    rates: dict[Numerics, list[float]] = field(
        default_factory=lambda: {numerics: [] for numerics in CANDIDATES}
    )

    def gain(self, numerics: Numerics) -> float:
        """Return the speed relative to the usual candidate."""
        return median(self.rates[numerics]) / median(self.rates[USUAL])


def networks(seed: int) -> Iterator[tuple[str, nn.Module]]:
    """Yield the networks by name: samples of spaces, then hand-designed ones."""
    for name, count in SPACES.items():
        space, random = find_space(name), Random(seed)
        for number in range(count):
            yield f"{name} {number}", build(space.sample(random), SHAPE, CLASSES, seed=0)
    for name in REFERENCES:
        yield name, ReferenceNetwork(name, SHAPE, CLASSES).build(seed=0)


def noise(count: int) -> ImageData:
    """Return a data set of `count` training images of noise."""
    images = torch.randint(256, (count, *SHAPE), dtype=torch.uint8)
    split, half = Split(images, torch.arange(count) % CLASSES), (0.5,) * 3
    return ImageData("noise", split, split, split, tuple("0123456789"), half, half, "")


def rate(network: nn.Module, numerics: Numerics, data: ImageData) -> float:
    """Return the training images per CPU-second of one epoch."""
    network.to(memory_format=FORMATS[numerics.layout])
    setup = make_setup(network, data, RECIPE, CPU, numerics=numerics)
    state = make_state(setup, epochs=1, seed=0)
    started = thread_time()
    train_epoch(setup, state)
    return len(data.train) / (thread_time() - started)


def measure(case: Case, data: ImageData, rounds: int) -> None:
    """Fill in a case's rates; a first round is warm-up."""
    for turn in range(rounds + 1):
        for numerics in CANDIDATES:
            found = rate(case.network, numerics, data)
            if turn:
                case.rates[numerics].append(found)


def print_probes(probes: int) -> Numerics:
    """Print each probe's choice, and return the last one."""
    for _ in range(probes):
        wall, started = perf_counter(), thread_time()
        times = time_candidates()
        print(f"probe: {thread_time() - started:.2f} CPU-s, {perf_counter() - wall:.2f} s of wall")
        usual, chosen = median(times[USUAL]), fastest(times)
        gains = [f"{each} {usual / median(taken):.2f}" for each, taken in times.items()]
        print(f"  {1000 * usual:.1f} ms a step; {'; '.join(gains)}; chosen: {chosen}")
    return chosen


def main() -> None:
    """Print the choices of the probe, then a row per network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=128, help="training images a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--probes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    with torch_threads(1):
        chosen = print_probes(options.probes)
        keep_pages()
        data, cases = noise(options.images), list[Case]()
        print(f"\n{'network':19}{''.join(f'{each!s:>21}' for each in CANDIDATES)}  chosen")
        for name, network in networks(options.seed):
            case = Case(name, network)
            measure(case, data, options.rounds)
            cases.append(case)
            rates = "".join(
                f"{median(case.rates[each]):14.0f} ({case.gain(each):.2f})" for each in CANDIDATES
            )
            print(f"{name:19}{rates}  {case.gain(chosen):.2f}", flush=True)
    gains = geometric_mean(case.gain(chosen) for case in cases)
    best = geometric_mean(max(map(case.gain, CANDIDATES)) for case in cases)
    rule = geometric_mean(case.gain(Numerics("bf16")) for case in cases)
    print(f"geometric means: chosen {gains:.2f}, always bf16 {rule:.2f}, best {best:.2f}")


if __name__ == "__main__":
    main()

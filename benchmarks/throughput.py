"""Training images per CPU-second: the toolkit's loop against a naive one.

Run it with `python -m benchmarks.throughput --data-dir DIR`, where DIR has `train/` with a folder
of images per class. The naive loop is that of `benchmarks.naive`; both train the same networks on
equally many images, in one thread each, in separate processes that take turns, so that other load
affects both equally. Decoding the folder once, before all trials, is not part of our time.
"""

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from random import Random
from statistics import geometric_mean, median
from time import process_time

import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler

from benchmarks.naive import train, training_images
from neptune_nas.architecture.records import Architecture, Attention, Conv, InvertedResidual
from neptune_nas.data.load import load_once
from neptune_nas.devices.memory import keep_pages
from neptune_nas.metrics.counted import CostModel
from neptune_nas.nn.builder import build
from neptune_nas.space import find_space
from neptune_nas.training.loop import train_epoch
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import make_setup, make_state

CPU = torch.device("cpu")
RECIPE = Recipe(crop=4, flip=True)


@dataclass(frozen=True, slots=True)
class Job:
    """One epoch on `images` of those below `folder`, which has `classes`."""

    architecture: Architecture
    folder: str
    classes: int
    images: int

    def network(self) -> nn.Module:
        """Return the network with the same weights for both loops."""
        return build(self.architecture, (3, 32, 32), self.classes, seed=0)


def naive(job: Job) -> float:
    """Return the images per CPU-second of the naive loop."""
    images = training_images(job.folder, augmented=True)
    sampler = RandomSampler(images, num_samples=job.images)
    loader = DataLoader(images, RECIPE.batch_size, sampler=sampler)
    network = job.network()
    start = process_time()
    train(network, loader, RECIPE)
    return job.images / (process_time() - start)


def ours(job: Job) -> float:
    """Return the images per CPU-second of the toolkit's loop."""
    data = load_once(f"folder:{job.folder}#{job.images}")
    network = job.network().to(memory_format=torch.channels_last)
    setup = make_setup(network, data, RECIPE, CPU)
    state = make_state(setup, epochs=1, seed=0)
    start = process_time()
    train_epoch(setup, state)
    return job.images / (process_time() - start)


def prepare(keep: bool) -> None:
    """Make a worker single-threaded; if `keep`, also keep its pages, as ours do."""
    torch.set_num_threads(1)
    if keep:
        keep_pages()


def kind(architecture: Architecture) -> str:
    """Return what dominates a network: attention, depthwise convolutions, or dense ones."""
    parts = [part for stage in architecture.stages for part in (stage.entry, *stage.substages)]
    if any(isinstance(part, Attention) for part in parts):
        return "attention"
    light = [
        part
        for part in parts
        if isinstance(part, InvertedResidual)
        or (isinstance(part, Conv) and part.groups == "depthwise")
    ]
    return "depthwise" if len(light) > len(parts) / 2 else "dense"


def compare(jobs: Sequence[Job], rounds: int) -> list[tuple[float, float]]:
    """Return each job's median rates of the naive loop and of ours, after a warm-up round."""
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, context, prepare, (False,)) as first,
        ProcessPoolExecutor(1, context, prepare, (True,)) as second,
    ):
        taken = [
            [(first.submit(naive, job).result(), second.submit(ours, job).result()) for job in jobs]
            for _ in range(rounds + 1)
        ][1:]
    return [
        (median(a for a, _ in rates), median(b for _, b in rates))
        for rates in zip(*taken, strict=True)
    ]


def main() -> None:
    """Print a row per network, the geometric mean, and the least ratio of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True, help="folder with train/ and its classes")
    parser.add_argument("--space", default="cifar10")
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--images", type=int, default=1024, help="training images a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    random, space = Random(options.seed), find_space(options.space)
    classes = len(training_images(options.data_dir, augmented=True).classes)
    architectures = [space.sample(random) for _ in range(options.networks)]
    jobs = [Job(a, options.data_dir, classes, options.images) for a in architectures]
    costs = CostModel((3, 32, 32), classes)
    ratios: dict[str, list[float]] = {}
    measured = compare(jobs, options.rounds)
    print("kind        MFLOPs   naive    ours   ratio   (images a CPU-second)")
    for job, (slow, fast) in zip(jobs, measured, strict=True):
        mega = costs.cost(job.architecture).flops / 1e6
        name = kind(job.architecture)
        ratios.setdefault(name, []).append(fast / slow)
        print(f"{name:10} {mega:7.1f} {slow:7.0f} {fast:7.0f} {fast / slow:7.2f}")
    for name, values in sorted(ratios.items()):
        mean, least = geometric_mean(values), min(values)
        print(f"{name:10} geometric mean {mean:.2f}, least {least:.2f} of {len(values)}")
    print(f"all        geometric mean {geometric_mean(b / a for a, b in measured):.2f}")


if __name__ == "__main__":
    main()

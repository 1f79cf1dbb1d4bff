"""The memory that training is predicted to take, against what it takes on the CPU.

Run it with `python -m benchmarks.footprints`. Each network trains for two steps and is measured
once, on noise. `kept`: the bytes that autograd saves in a real forward pass. `peak`: the most that
torch's allocator has given out, as its profiler records it, for one epoch with all that belongs to
it. `resident`: by how much a process that only trains it grows. Attention runs by the fused kernel,
as on an accelerator.
"""

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from statistics import median

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from neptune_nas.architecture.records import Architecture
from neptune_nas.data.images import ImageData, Split
from neptune_nas.devices.malloc import keep_pages
from neptune_nas.devices.memory import STATUS, peak_memory
from neptune_nas.devices.mode import Precision
from neptune_nas.metrics.counted import CostModel
from neptune_nas.nn import substages
from neptune_nas.nn.builder import build
from neptune_nas.space import find_space
from neptune_nas.training.footprint import SINGLE, footprint_of, kept_by, training_bytes
from neptune_nas.training.loop import train
from neptune_nas.training.measure import BATCH
from neptune_nas.training.recipe import Recipe

SHAPES = {
    "tiny": (1, 8, 8),
    "default": (3, 32, 32),
    "attention": (3, 32, 32),
    "cifar10": (3, 32, 32),
}
CLASSES = 10
RECIPE = Recipe(crop=4, flip=True)


@dataclass(frozen=True, slots=True)
class Job:
    """One network, for images `(C, H, W)`, and the precision to train it in."""

    architecture: Architecture
    shape: tuple[int, int, int]
    precision: Precision

    @property
    def recipe(self) -> Recipe:
        """The default one, in the job's precision."""
        return Recipe(crop=RECIPE.crop, flip=RECIPE.flip, precision=self.precision)

    @property
    def predicted(self) -> int:
        """The bytes that are predicted."""
        return training_bytes(footprint_of(self.architecture, self.shape, CLASSES), self.recipe)

    def network(self) -> nn.Module:
        """The network."""
        return build(self.architecture, self.shape, CLASSES, seed=0)


def noise(count: int, shape: tuple[int, int, int]) -> Split:
    """Images without a meaning."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, *shape), dtype=torch.uint8, generator=generator)
    return Split(images, torch.arange(count) % CLASSES)


def data(shape: tuple[int, int, int]) -> ImageData:
    """Two batches to train on, and one to measure on."""
    train, validation = noise(2 * RECIPE.batch_size, shape), noise(BATCH, shape)
    names, level = tuple(map(str, range(CLASSES))), (0.5,) * shape[0]
    return ImageData("noise", train, validation, noise(1, shape), names, level, level, "")


def kept(job: Job) -> int:
    """Bytes that autograd saves of one batch in float32."""
    images = torch.rand(RECIPE.batch_size, *job.shape).to(memory_format=torch.channels_last)
    return sum(kept_by(job.network().to(memory_format=torch.channels_last), images))


def peak(job: Job) -> int:
    """Bytes at the highest that the allocator has given out, with the weights."""
    network, images = job.network(), data(job.shape)
    weights = sum(parameter.numel() for parameter in network.parameters()) * SINGLE
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        train(network, images, job.recipe, 1)
    events = recorded.profiler.kineto_results.events()
    changes = [(e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]"]
    ordered = sorted(changes, key=lambda change: change[0])
    highest: int = max(accumulate(count for _, count in ordered))
    return weights + highest


def resident(job: Job) -> int:
    """Bytes by which this process grows while it trains; a tiny network goes first."""
    tiny = Job(find_space("tiny").sample(Random(0)), SHAPES["tiny"], job.precision)
    train(tiny.network(), data(tiny.shape), tiny.recipe, 1)
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    before = int(fields["VmRSS"].split()[0]) * 1024
    train(job.network(), data(job.shape), job.recipe, 1)
    return peak_memory(torch.device("cpu")) - before


def prepare() -> None:
    """Make this process what a worker is, and attention what it is on an accelerator."""
    torch.set_num_threads(1)
    keep_pages()
    substages.FEW_KEYS = 0


def spread(name: str, ratios: Sequence[float]) -> str:
    """The median of predicted over measured, its range, and two shares."""
    enough = sum(ratio >= 1 for ratio in ratios) / len(ratios)
    near = sum(0.5 <= ratio <= 2 for ratio in ratios) / len(ratios)
    return (
        f"{name:22} {len(ratios):3} {median(ratios):6.2f} {min(ratios):6.2f} {max(ratios):6.2f} "
        f"{enough:8.0%} {near:10.0%}"
    )


def in_fresh(job: Job) -> int:
    """`resident` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, prepare) as pool:
        return pool.submit(resident, job).result()


def main() -> None:
    """Print a row a space and kind of figure, each predicted over measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=8, help="of each space")
    parser.add_argument("--resident", type=int, default=3, help="of them in a fresh process")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    prepare()
    print("predicted / measured     n median  least   most enough in 0.5..2")
    for name, shape in SHAPES.items():
        space, rng, costs = find_space(name), Random(options.seed), CostModel(shape, CLASSES)
        found = [space.sample(rng) for _ in range(options.networks)]
        single, half = ([Job(a, shape, p) for a in found] for p in ("fp32", "bf16"))
        feet = [footprint_of(a, shape, CLASSES) for a in found]
        real = [kept(job) / RECIPE.batch_size for job in single]
        counted = [costs.cost(a).activations * SINGLE for a in found]
        print(spread(f"{name} activations", [a / b for a, b in zip(counted, real, strict=True)]))
        print(spread(f"{name} kept", [f.kept / b for f, b in zip(feet, real, strict=True)]))
        for jobs in (single, half):
            ratios = [job.predicted / peak(job) for job in jobs]
            print(spread(f"{name} peak {jobs[0].precision}", ratios))
            ratios = [job.predicted / in_fresh(job) for job in jobs[: options.resident]]
            print(spread(f"{name} resident {jobs[0].precision}", ratios), flush=True)


if __name__ == "__main__":
    main()

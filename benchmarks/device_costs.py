"""RAM and flash as counted, against what tflite-micro records and the file has.

python -m benchmarks.device_costs --space micro --networks 300

Needs the extra `litert`. Networks have random weights, since neither cost depends on them.
"""

import argparse
from collections.abc import Sequence
from random import Random
from statistics import median
from time import process_time
from typing import Any

import torch

from neptune_nas.deploy.quantisation import quantise
from neptune_nas.deploy.runtimes import recorded_arena
from neptune_nas.deploy.tflite import int8_file
from neptune_nas.errors import ArchitectureError
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.lowering import lower
from neptune_nas.metrics.counted import DEVICE, CostModel
from neptune_nas.nn.builder import Shape, build
from neptune_nas.nn.classifier import Classifier
from neptune_nas.space import find_space

TARGETS = {"ram": 0.10, "flash": 0.05}
"""The largest relative errors to be reached, by metric."""


def written_file(architecture: Any, input_shape: Shape, outputs: int) -> bytes:
    """Return the lean int8 file of a network with random weights."""
    channels = input_shape[0]
    network = build(architecture, input_shape, outputs, seed=0)
    classifier = Classifier(network, [0.5] * channels, [0.25] * channels)
    images = torch.rand(1, *input_shape)
    return int8_file(quantise(fuse(lower(classifier, images)), [images]))


def measured(architecture: Any, input_shape: Shape, outputs: int) -> dict[str, float]:
    """Return both costs of the file that is written, by metric."""
    file = written_file(architecture, input_shape, outputs)
    return {"ram": recorded_arena(file), "flash": len(file)}


def lowerable(space: Any, model: CostModel, count: int, rng: Random) -> list[Any]:
    """Return random architectures that a device can run."""
    found: list[Any] = []
    for _ in range(100 * count):
        architecture = space.sample(rng)
        try:
            model.value("ram", architecture)
        except ArchitectureError:
            continue
        found.append(architecture)
        if len(found) == count:
            return found
    raise SystemExit(f"Only {len(found)} of {100 * count:,} networks of {space.name} can be run.")


def speed(model: CostModel, architectures: Sequence[Any]) -> float:
    """Return networks a second, both costs counted, once their parts are known."""
    model.whole.clear()
    start = process_time()
    for architecture in architectures:
        model.values(architecture, DEVICE)
    return len(architectures) / (process_time() - start)


def main() -> None:
    """Print the worst and the median error of each cost, and the speed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="micro")
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shape, outputs = (3, options.side, options.side), 10
    model = CostModel(shape, outputs)
    start = process_time()
    rng = Random(options.seed)
    architectures = lowerable(find_space(options.space), model, options.networks, rng)
    first = process_time() - start
    errors: dict[str, list[float]] = {name: [] for name in TARGETS}
    for architecture in architectures:
        for name, value in measured(architecture, shape, outputs).items():
            errors[name].append(abs(model.value(name, architecture) / value - 1))
    for name, found in errors.items():
        print(
            f"{name}: worst error {max(found):.2%}, median {median(found):.2%}, "
            f"exact in {sum(not error for error in found)} of {len(found)} "
            f"(target: {TARGETS[name]:.0%} for every one)"
        )
    print(
        f"{speed(model, architectures):,.0f} networks a second of one core once parts are known "
        f"(target: 1,000); {first:.1f} s for {len(model.graphs.known)} parts at first"
    )


if __name__ == "__main__":
    main()

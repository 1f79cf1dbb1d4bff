"""The simulation of int8 in torch against the files that runtimes run.

    python -m benchmarks.int8_simulation --space micro --data cifar10#2000 --epochs 3

Networks drawn uniformly from a space are trained for some epochs, quantised as a search does it,
and written to `.tflite`. A line each: the accuracy on the same validation images in floating
point, and, for LiteRT and (on the first `--micro` of them, since it is slow) for TensorFlow Lite
Micro, as simulated with the runtime's rounding and of the file that it runs, with the difference in
points and the percent of images whose class differs. The last line has the largest differences: at
most 0.3 points are promised.
"""

import argparse
from random import Random

import torch
from torch import Generator, Tensor

from neptune_nas.data.load import load_once
from neptune_nas.data.splitting import at_most
from neptune_nas.deploy.execution import run_float, run_int8
from neptune_nas.deploy.int8_accuracy import quantised_network
from neptune_nas.deploy.runtimes import open_file
from neptune_nas.deploy.tflite import int8_file
from neptune_nas.nn.builder import build
from neptune_nas.space import find_space
from neptune_nas.training.loop import train
from neptune_nas.training.recipe import default_recipe

BATCH = 64


def share(outputs: Tensor, wanted: Tensor) -> float:
    """Return the percent of images whose class is as wanted."""
    return 100 * float((outputs.argmax(1) == wanted[: len(outputs)]).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="micro")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--micro", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data, space, rng = load_once(options.data, None, 0), find_space(options.space), Random(0)
    rows = torch.from_numpy(at_most(data.validation.targets, options.images, 0))
    split = data.validation[rows[torch.randperm(len(rows), generator=Generator().manual_seed(0))]]
    images, targets = split.images.float() / 255, split.targets
    worst = {"litert": 0.0, "tflite-micro": 0.0}
    for number in range(options.networks):
        network = build(space.sample(rng), data.input_shape, len(data.classes), number)
        train(network, data, default_recipe(len(data.train)), options.epochs, seed=number)
        quantised = quantised_network(network, data)
        parts = torch.split(images, BATCH)
        float_outputs = torch.cat([run_float(quantised.graph, part) for part in parts])
        simulated = {
            runtime: torch.cat([run_int8(quantised, part, rounds_once=once) for part in parts])
            for runtime, once in (("litert", True), ("tflite-micro", False))
        }
        line = f"{number:2}: float {share(float_outputs, targets):.2f}"
        for runtime in worst:
            few = images if runtime == "litert" else images[: options.micro]
            content = int8_file(quantised, lean=runtime == "tflite-micro")
            found, here = open_file(content, runtime).predict(few), simulated[runtime][: len(few)]
            points = share(found, targets) - share(here, targets)
            other = 100 - share(found, here.argmax(1))
            worst[runtime] = max(worst[runtime], abs(points))
            line += f"; {runtime}: simulated {share(here, targets):.2f}, "
            line += f"file {share(found, targets):.2f} ({points:+.2f}, {other:.2f}% differ)"
        print(line, flush=True)
    print(
        f"Largest difference in points over {options.networks} networks: "
        + ", ".join(f"{runtime} {points:.2f}" for runtime, points in worst.items())
    )


if __name__ == "__main__":
    main()

"""What `benchmarks.cuda` measures with: device, amounts, networks, and images that are made up."""

from dataclasses import dataclass, replace
from random import Random
from time import monotonic

import torch
from torch import nn
from torch.nn import functional as F

from neptune_nas.architecture.records import Architecture
from neptune_nas.data.images import ImageData, Split
from neptune_nas.nn.builder import build
from neptune_nas.nn.convolutions import mend
from neptune_nas.space import find_space
from neptune_nas.training.recipe import Recipe

SHAPE, CLASSES, CPU = (3, 32, 32), 10, torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Terms:
    """The device and the amounts to measure with.

    `images` are a multiple of the recipe's `batch`. `compared`: networks whose scores are compared,
    each trained on `few` images. `epochs`: timed in a row. `window`: at most, seconds of each
    number of `workers`. `end`: when all must be over (monotonic).
    """

    device: torch.device
    end: float
    networks: int = 12
    images: int = 4096
    validation: int = 1000
    batch: int = 128
    compared: int = 4
    few: int = 1024
    epochs: int = 3
    repeats: int = 50
    workers: tuple[int, ...] = (1, 2, 4, 8)
    window: float = 40.0

    @property
    def on_gpu(self) -> bool:
        """True if the device is CUDA's."""
        return self.device.type == "cuda"

    @property
    def recipe(self) -> Recipe:
        """The default recipe with this batch size."""
        return Recipe(batch_size=self.batch)

    @property
    def left(self) -> float:
        """Seconds until all must be over."""
        return self.end - monotonic()

    def sampled(self) -> list[Architecture]:
        """Return the networks to measure: those of `benchmarks.throughput`."""
        space, random = find_space("cifar10"), Random(0)
        return [space.sample(random) for _ in range(self.networks)]

    def data(self, images: int | None = None) -> ImageData:
        """Return made-up data with so many training images (default: `images`)."""
        train, validation = (
            made_images(count, seed)
            for seed, count in enumerate((images or self.images, self.validation))
        )
        names, half = tuple("0123456789"), (0.5,) * 3
        return ImageData(
            "made", train, validation, validation, names, half, half, "", crop=4, flip=True
        )


def tiny(terms: Terms) -> Terms:
    """Return terms for seconds on a CPU, whose numbers say nothing."""
    return replace(
        terms,
        networks=2,
        images=64,
        validation=64,
        batch=32,
        compared=1,
        few=64,
        epochs=1,
        repeats=3,
        workers=(1, 2),
        window=1.0,
    )


def made_images(count: int, seed: int) -> Split:
    """Return images of ten classes, each a smooth pattern under noise."""
    patterns = torch.rand(CLASSES, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    smooth = F.interpolate(patterns, size=SHAPE[1:], mode="bilinear")
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    noise = torch.randn(count, *SHAPE, generator=generator)
    return Split((128 + 80 * (smooth[labels] - 0.5) + 60 * noise).clamp(0, 255).byte(), labels)


def network_on(architecture: Architecture, device: torch.device) -> nn.Module:
    """Build a network on a device as training does: mended, channels last."""
    network = mend(build(architecture, SHAPE, CLASSES, 0))
    return network.to(device).to(memory_format=torch.channels_last)


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of its message."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"

"""Hand-designed networks by name, to compare a search with.

>>> ReferenceNetwork("resnet8", (3, 32, 32), 10).build(seed=0).linear.out_features
10
"""

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

from torch import nn

from neptune_nas.architecture.dense_heads import (
    DETECTION,
    SEGMENTATION,
    DecoderHead,
    DetectionHead,
)
from neptune_nas.architecture.records import Architecture, Conv, Head, Stage, Stem
from neptune_nas.errors import ArchitectureError, OptionError, one_of
from neptune_nas.nn.builder import Shape, build, seeded
from neptune_nas.nn.resnet import resnet8, resnet20

SMALL = 64  # pixels a side of the largest images that networks are adapted to
OWN = {"resnet8": resnet8, "resnet20": resnet20}
_PUBLISHED = {  # by name: the least image side, in pixels
    "mobilenet_v2": 1,
    "mobilenet_v3_small": 1,
    "shufflenet_v2_x0_5": 1,
    "shufflenet_v2_x1_0": 1,
    "squeezenet1_1": 10,
    "mnasnet0_5": 1,
    "resnet18": 1,
    "efficientnet_b0": 1,
}
_DENSE = {  # by name: the task
    "lraspp_mobilenet_v3_small": SEGMENTATION,
    "lraspp_mobilenet_v3_large": SEGMENTATION,
    "ssdlite_mobilenet_v3_small": DETECTION,
    "ssdlite_mobilenet_v3_large": DETECTION,
}
REFERENCES = (*OWN, *_PUBLISHED, *_DENSE)
WIDEST = 1024  # channels of the stem of a plain network
_PLAIN_NAME = re.compile(r"(plain|unet|fcos)-([1-9][0-9]{0,3})")
_LAST_SIDE = 4  # pixels a side of a plain network's last map; of large images, up to 7
_MOST_HALVINGS = 4
_MOST_LEVELS = 3  # that a plain detector reads


@dataclass(frozen=True, slots=True)
class ReferenceNetwork:
    """A hand-designed network for images `(C, H, W)`; `name`: see `REFERENCES`, or a plain one.

    `plain-WIDTH` is `plain_network` of that width; `unet-WIDTH`, for segmentation, is `plain_unet`,
    and `fcos-WIDTH`, for detection, `plain_detector`.
    `resnet8` is MLPerf Tiny's (arXiv 2106.07597) and `resnet20` the CIFAR-10 one of He et al.
    (arXiv 1512.03385) with 1x1 convolutions as shortcuts. The others are torchvision's, or made of
    its parts: LR-ASPP for segmentation and SSDLite for detection (arXiv 1905.02244). For images
    of at most 64 pixels a side their first convolution has stride 1 instead of 2; the rest of the
    layout is as published: kernels, max-pools and later strides. For other than 3 channels the
    first convolution is initialised as torch does. All their batch norms have momentum 0.1, since
    statistics that move more slowly are wrong after a short training.

    Raises `OptionError` for an unknown name and `ArchitectureError` for images that are too small.
    """

    name: str
    input_shape: Shape
    classes: int

    def __post_init__(self) -> None:
        check_reference(self.name)
        least, (_, height, width) = _PUBLISHED.get(self.name, 1), self.input_shape
        if min(height, width) < least:
            raise ArchitectureError(
                f"reference network '{self.name}' needs images of at least {least}x{least} "
                f"pixels, but got {height}x{width}: take larger images or another network."
            )

    def build(self, seed: int | None = None) -> nn.Module:
        """Return the network, freshly initialised.

        Equal seeds give equal weights and leave the global random state as it was.
        """
        channels, height, width = self.input_shape
        if plain := _PLAIN_NAME.fullmatch(self.name):
            network = PLAIN[reference_task(self.name)].build(int(plain[2]), self.input_shape)
            return build(network, self.input_shape, self.classes, seed)
        with nullcontext() if seed is None else seeded(seed):
            if self.name in OWN:
                return OWN[self.name](channels, self.classes)
            # Imported late: torchvision takes longer to import than a short training takes.
            small = max(height, width) <= SMALL
            if self.name in _DENSE:
                from neptune_nas.nn.published_dense import dense_network

                return dense_network(self.name, self.input_shape, self.classes, small=small)
            from neptune_nas.nn.published import torchvision_network

            return torchvision_network(self.name, channels, self.classes, small=small)


def plain_network(width: int, input_shape: Shape) -> Architecture:
    """Return the plain network that a search has to beat: 3x3 convolutions, batch norm, ReLU.

    The first has `width` channels, and stride 2 for images of more than 64 pixels a side. Each of
    the others halves the map and doubles the channels, down to a map of 4 to 7 pixels a side, and
    there are at most 4 of them. Average pooling and a linear layer follow.
    """
    return _halving(width, input_shape, ())


def plain_unet(width: int, input_shape: Shape) -> Architecture:
    """Return the plain U-Net that a search for segmentation has to beat (arXiv 1505.04597).

    It goes down as `plain_network` does, with a second 3x3 convolution at each size. On its way up,
    maps are enlarged, concatenated with those of the way down, and convolved to `2 * width`
    channels.
    """
    down = _halving(width, input_shape, (Conv(),))
    up = DecoderHead(2 * width, len(down.stages), "concat", groups=1)
    return replace(down, head=up)


def plain_detector(width: int, input_shape: Shape) -> Architecture:
    """Return the plain detector that a search for detection has to beat (arXiv 1904.01355).

    It goes down as `plain_unet` does. Its three smallest maps become `2 * width` channels, and each
    passes a 3x3 convolution before it predicts.
    """
    down = _halving(width, input_shape, (Conv(),))
    levels = min(_MOST_LEVELS, 1 + len(down.stages))
    return replace(down, head=DetectionHead(2 * width, levels, groups=1))


def _halving(width: int, input_shape: Shape, substages: tuple[Conv, ...]) -> Architecture:
    """Return stages that halve the map and double the channels, each with some SubStages."""
    side = min(input_shape[1:])
    stride = 1 if side <= SMALL else 2
    halvings = (side // stride // _LAST_SIDE).bit_length() - 1
    stage = Stage(
        entry=Conv(),
        stride=2,
        pool="none",
        norm="batch",
        connections="chain",
        substages=substages,
    )
    return Architecture(
        Stem(width, stride=stride),
        tuple(
            replace(stage, width=width << i)
            for i in range(1, min(max(halvings, 1), _MOST_HALVINGS) + 1)
        ),
    )


@dataclass(frozen=True, slots=True)
class PlainNetworks:
    """The plain networks of a task, of any width: `build` returns one for images `(C, H, W)`.

    `prefix`: of their names, before the width, as in `plain-8`. `usual`: the names of the networks
    that `neptune-nas reference` trains by default.
    """

    prefix: str
    build: Callable[[int, Shape], Architecture]
    usual: tuple[str, ...]

    def name(self, width: int) -> str:
        """Return the name of the network of a width."""
        return f"{self.prefix}-{width}"


PLAIN: Mapping[str, PlainNetworks] = {
    Head.task: PlainNetworks(
        "plain", plain_network, ("resnet8", "resnet20", "mobilenet_v3_small", "shufflenet_v2_x0_5")
    ),
    SEGMENTATION: PlainNetworks("unet", plain_unet, ("unet-4", "unet-8", "unet-16")),
    DETECTION: PlainNetworks("fcos", plain_detector, ("fcos-4", "fcos-8", "fcos-16")),
}
"""The plain networks by the name of their task."""


def reference_task(name: str) -> str:
    """Return the name of the task that a hand-designed network is for."""
    if name in _DENSE:
        return _DENSE[name]
    plain = _PLAIN_NAME.fullmatch(name)
    tasks = (task for task, each in PLAIN.items() if plain and plain[1] == each.prefix)
    return next(tasks, Head.task)


def is_plain(name: str) -> bool:
    """Return whether a hand-designed network is a plain one."""
    return _PLAIN_NAME.fullmatch(name) is not None


def list_references() -> tuple[str, ...]:
    """Return the names of the hand-designed networks."""
    return REFERENCES


def is_reference(name: str) -> bool:
    """Return whether a hand-designed network has this name."""
    plain = _PLAIN_NAME.fullmatch(name)
    return name in REFERENCES or (plain is not None and int(plain[2]) <= WIDEST)


def check_reference(name: str, advice: str = "") -> None:
    """Refuse a name that no hand-designed network has; `advice`: what else it may mean."""
    if not is_reference(name):
        known = (*REFERENCES, *(f"{each.prefix}-WIDTH" for each in PLAIN.values()))
        end = f" {advice}" if advice else ""
        raise OptionError(f"reference network '{name}' is unknown: {one_of(known, name)}{end}")

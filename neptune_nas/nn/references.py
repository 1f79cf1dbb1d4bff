"""Hand-designed networks by name, to compare a search with.

>>> ReferenceNetwork("resnet8", (3, 32, 32), 10).build(seed=0).linear.out_features
10
"""

from contextlib import nullcontext
from dataclasses import dataclass

from torch import nn

from neptune_nas.errors import ArchitectureError, OptionError, one_of
from neptune_nas.nn.builder import Shape, seeded
from neptune_nas.nn.resnet import resnet8, resnet20

SMALL = 64  # pixels a side of the largest images that networks are adapted to
OWN = {"resnet8": resnet8, "resnet20": resnet20}
PUBLISHED = {  # by name: the least image side, in pixels
    "mobilenet_v2": 1,
    "mobilenet_v3_small": 1,
    "shufflenet_v2_x0_5": 1,
    "shufflenet_v2_x1_0": 1,
    "squeezenet1_1": 10,
    "mnasnet0_5": 1,
    "resnet18": 1,
    "efficientnet_b0": 1,
}
REFERENCES = (*OWN, *PUBLISHED)


@dataclass(frozen=True, slots=True)
class ReferenceNetwork:
    """A hand-designed network for images `(C, H, W)`; `name` is one of `REFERENCES`.

    `resnet8` is MLPerf Tiny's (arXiv 2106.07597) and `resnet20` the CIFAR-10 one of He et al.
    (arXiv 1512.03385) with 1x1 convolutions as shortcuts. The others are torchvision's. For images
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
        if self.name not in REFERENCES:
            raise OptionError(
                f"reference network '{self.name}' is unknown: {one_of(REFERENCES, self.name)}"
            )
        least, (_, height, width) = PUBLISHED.get(self.name, 1), self.input_shape
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
        with nullcontext() if seed is None else seeded(seed):
            if self.name in OWN:
                return OWN[self.name](channels, self.classes)
            # Imported late: torchvision takes longer to import than a short training takes.
            from neptune_nas.nn.published import published

            small = max(height, width) <= SMALL
            return published(self.name, channels, self.classes, small=small)


def list_references() -> tuple[str, ...]:
    """Return the names of the hand-designed networks."""
    return REFERENCES

"""torchvision's networks, adapted to small images, other channels and short trainings."""

from collections.abc import Callable

from torch import nn
from torchvision.models import (
    efficientnet_b0,
    mnasnet0_5,
    mobilenet_v2,
    mobilenet_v3_small,
    resnet18,
    shufflenet_v2_x0_5,
    shufflenet_v2_x1_0,
    squeezenet1_1,
)

from neptune_nas.nn.convolutions import mend
from neptune_nas.nn.weights import fit_channels

CREATE: dict[str, Callable[..., nn.Module]] = {
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": mobilenet_v3_small,
    "shufflenet_v2_x0_5": shufflenet_v2_x0_5,
    "shufflenet_v2_x1_0": shufflenet_v2_x1_0,
    "squeezenet1_1": squeezenet1_1,
    "mnasnet0_5": mnasnet0_5,
    "resnet18": resnet18,
    "efficientnet_b0": efficientnet_b0,
}
_MOMENTUM = 0.1  # torch's default


def torchvision_network(name: str, channels: int, classes: int, *, small: bool) -> nn.Module:
    """Return one of torchvision's networks, freshly initialised.

    `small`: the first convolution has stride 1 instead of 2; the rest of the layout is unchanged,
    so that final maps are 16 times smaller instead of 32 times (SqueezeNet: 8 instead of 16). For
    other than 3 channels the first convolution is initialised anew, as torch does.
    """
    return mend(adapt(CREATE[name](weights=None, num_classes=classes), channels, small=small))


def adapt(network: nn.Module, channels: int, *, small: bool) -> nn.Module:
    """Return a network of torchvision's for other channels, small images and short trainings."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    if small:
        first.stride = (1, 1)
    fit_channels(first, channels)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # mnasnet0_5's 0.0003 and mobilenet_v3_small's 0.01 are for hundreds of epochs: after
            # a few epochs, validation would still use statistics close to the initial ones.
            module.momentum = _MOMENTUM
    return network

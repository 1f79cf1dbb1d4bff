"""Users' records that build whole networks."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from neptune_nas.errors import ArchitectureError

LEAST = 4  # pixels a side


@dataclass(frozen=True)
class Plain:
    """Convolutions, each with batch norm and ReLU: `depth` of them, `width` channels wide."""

    width: int = 8
    depth: int = 2

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        channels, height, width = input_shape
        if min(height, width) < LEAST:
            raise ArchitectureError(f"`Plain` needs images of at least {LEAST}x{LEAST} pixels.")
        widths = [channels] + [self.width] * self.depth
        layers: list[nn.Module] = []
        for read, written in pairwise(widths):
            layers += [nn.Conv2d(read, written, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(written), nn.ReLU()]
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(self.width, outputs)
        )


@dataclass(frozen=True)
class Maps(Plain):
    """The same with the maps that the proxy zen-score looks at."""

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        found = super().build(input_shape, outputs)
        assert isinstance(found, nn.Sequential)
        return WithFeatures(found)


class WithFeatures(nn.Module):
    """A plain network that gives its last map."""

    def __init__(self, whole: nn.Sequential) -> None:
        super().__init__()
        self.body, self.head = whole[:-3], whole[-3:]

    def forward_features(self, images: Tensor) -> Tensor:
        found: Tensor = self.body(images)
        return found

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.head(self.forward_features(images))
        return found


@dataclass(frozen=True)
class Reads(Plain):
    """The same from code that asks for values of tensors, which the meta device has none of."""

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        rates = [rate.item() for rate in torch.linspace(0, 0.5, self.depth)]
        return nn.Sequential(nn.Dropout(rates[-1]), super().build(input_shape, outputs))


@dataclass(frozen=True)
class Faulty:
    """A record whose code is wrong in a way that `how` names."""

    how: str

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> object:
        match self.how:
            case "divides":
                return nn.Linear(outputs // 0, 1)
            case "returns a number":
                return outputs
            case "gives rows":
                return Gives(lambda x: x.flatten(2))
            case "gives a list":
                return Gives(lambda x: [x])
            case "runs wrong":
                return Gives(lambda x: x.no_such_thing)
        return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[1] - 100, outputs))


class Gives(nn.Module):
    """A module that is a function of its input."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> object:
        assert callable(self.function)
        return self.function(x)

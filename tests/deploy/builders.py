"""Networks to quantise, with norms as a training leaves them."""

import torch
from torch import Tensor, nn

from neptune_nas.architecture.records import Architecture, Conv, Head, InvertedResidual, Stage, Stem
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.graph import Graph
from neptune_nas.graphs.lowering import lower
from neptune_nas.nn.builder import build
from neptune_nas.nn.classifier import Classifier

SHAPE, CLASSES = (3, 16, 16), 5

ARCHITECTURE = Architecture(
    Stem(8, 3, 2),
    (
        Stage(12, InvertedResidual(3, 4), 2, "none", "batch"),
        Stage(
            16,
            Conv(3),
            1,
            "avg",
            "batch",
            substages=(InvertedResidual(3, 2), Conv(3)),
            connections="sparse",
        ),
    ),
    head=Head(24),
)


class Every(nn.Module):
    """A network of every operation that has an int8 kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.gate = nn.Conv2d(8, 8, 1)
        self.deep = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.norm = nn.BatchNorm2d(16)
        self.last = nn.Linear(16, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(N, 3, H, W)` to logits `(N, 5)`."""
        x = nn.functional.hardswish(self.first(images))
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        y = nn.functional.relu6(self.deep(x))
        both = torch.cat([nn.functional.max_pool2d(x, 2), nn.functional.avg_pool2d(y, 2)], 1)
        logits: Tensor = self.last(nn.functional.relu(self.norm(both)).mean((2, 3)))
        return logits


def lifelike(network: nn.Module, seed: int = 0) -> nn.Module:
    """Return the network with norms as a training leaves them, some channels dead."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(-1, 2)[0] = 0
            module.bias.data.normal_(0, 0.3)[0] = 0
    return network.eval()


def network(seed: int = 0) -> nn.Module:
    """Return a network for normalised images."""
    return lifelike(build(ARCHITECTURE, SHAPE, CLASSES, seed), seed)


def classifier(of: nn.Module) -> Classifier:
    """Return a network for images in 0..1."""
    return Classifier(of, [0.5, 0.4, 0.3], [0.2, 0.25, 0.22]).eval()


def graph_of(of: nn.Module) -> Graph:
    """Return the fused graph of a network."""
    return fuse(lower(of, torch.rand(1, *SHAPE)))


def pictures(count: int, seed: int = 0) -> Tensor:
    """Return images `(N, C, H, W)` in 0..1, of whole bytes, with some structure."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, SHAPE[0], 4, 4, generator=random)
    return nn.functional.interpolate(coarse, SHAPE[1:], mode="bilinear").mul(255).round().div(255)

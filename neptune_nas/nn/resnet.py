"""Small residual networks of two-convolution blocks, as they were published for 32x32 images."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.nn.substages import conv

WIDTHS = (16, 32, 64)  # channels of the groups of blocks


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, the first strided, and a shortcut around them.

    The shortcut is a 1x1 convolution where the shape changes, with a batch norm unless `bias`.
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, *, bias: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *conv_norm(in_channels, width, stride, bias),
            nn.ReLU(),
            *conv_norm(width, width, 1, bias),
        )
        project = conv(in_channels, width, stride=stride, bias=bias)
        shortcut = project if bias else nn.Sequential(project, nn.BatchNorm2d(width))
        self.shortcut = nn.Identity() if (in_channels, 1) == (width, stride) else shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, in, H, W)` to `(N, width, H / stride, W / stride)`, sizes rounded up."""
        return F.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """A 3x3 stem, three groups of `blocks` residual blocks, average pooling and a linear layer.

    The second and third group begin with stride 2. `bias`: whether the convolutions have one.
    """

    def __init__(self, channels: int, classes: int, *, blocks: int, bias: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(*conv_norm(channels, WIDTHS[0], 1, bias), nn.ReLU())
        found: list[nn.Module] = []
        for before, width in pairwise((WIDTHS[0], *WIDTHS)):
            stride = 1 if before == width else 2
            found.append(ResidualBlock(before, width, stride, bias=bias))
            found += (ResidualBlock(width, width, bias=bias) for _ in range(blocks - 1))
        self.blocks = nn.Sequential(*found)
        self.linear = nn.Linear(WIDTHS[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He et al. 2015, arXiv 1502.01852
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map images `(N, C, H, W)` to logits `(N, classes)`."""
        logits: Tensor = self.linear(torch.mean(self.blocks(self.stem(x)), (2, 3)))
        return logits


def conv_norm(in_channels: int, width: int, stride: int, bias: bool) -> tuple[nn.Module, nn.Module]:
    """Return a 3x3 convolution and the batch norm behind it."""
    return conv(in_channels, width, 3, stride=stride, bias=bias), nn.BatchNorm2d(width)


def resnet8(channels: int, classes: int) -> ResNet:
    """Return MLPerf Tiny's ResNet-8 for CIFAR-10, with biases (arXiv 2106.07597)."""
    return ResNet(channels, classes, blocks=1, bias=True)


def resnet20(channels: int, classes: int) -> ResNet:
    """Return ResNet-20 for CIFAR-10 (He et al. 2015, arXiv 1512.03385), with the paper's option B.

    That is a 1x1 convolution with batch norm as the shortcut where the shape changes.
    """
    return ResNet(channels, classes, blocks=3, bias=False)

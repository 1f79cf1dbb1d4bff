"""The first and the last part of a network: the stem and the classification head."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.nn.norms import BatchNorm
from neptune_nas.nn.substages import conv


class Stem(nn.Module):
    """A convolution with batch norm and ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int = 16, kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride
        self.conv = conv(in_channels, out_channels, kernel, stride=stride)
        self.norm = BatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, in, H, W)` to `(N, out, H / stride, W / stride)`, sizes rounded up."""
        y: Tensor = self.norm(self.conv(x))
        return F.relu(y)


class ClassificationHead(nn.Module):
    """ReLU, global average pooling, dropout and a linear layer.

    With `width`, a 1x1 convolution to that many channels with batch norm comes first.
    """

    def __init__(
        self, in_channels: int, classes: int, width: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.in_channels, self.classes = in_channels, classes
        self.width, self.dropout = width, dropout
        self.conv = conv(in_channels, width) if width else None
        self.norm = BatchNorm(width) if width else None
        self.linear = nn.Linear(width or in_channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, C, H, W)` to logits `(N, classes)`."""
        if self.conv is not None and self.norm is not None:
            x = self.norm(self.conv(x))
        pooled = torch.mean(F.relu(x), (2, 3))
        logits: Tensor = self.linear(F.dropout(pooled, self.dropout, self.training))
        return logits

    def accepting(self, in_channels: int) -> "ClassificationHead":
        """Return a fresh head for maps of `in_channels`."""
        return ClassificationHead(in_channels, self.classes, self.width, self.dropout)

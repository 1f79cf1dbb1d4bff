"""The heads of networks for segmentation: maps of several resolutions to logits for each pixel."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.nn.norms import BatchNorm
from neptune_nas.nn.substages import conv


class DenseHead(nn.Module):
    """The base of heads that read a list of maps, the smallest first.

    `forward` maps them, `(N, C_i, H_i, W_i)`, to logits `(N, outputs, H, W)` of the size of the
    last. `in_channels`: those of each map.
    """

    in_channels: tuple[int, ...]


class LrasppBlock(DenseHead):
    """LR-ASPP (arXiv 1905.02244): a map weighted by its mean, joined with a larger one."""

    def __init__(self, in_channels: tuple[int, ...], outputs: int, width: int = 64) -> None:
        super().__init__()
        self.in_channels, self.outputs, self.width = in_channels, outputs, width
        small, large = in_channels
        self.conv, self.norm = conv(small, width), BatchNorm(width)
        self.scale = conv(small, width)
        self.classify, self.classify_large = (
            conv(channels, outputs, bias=True) for channels in (width, large)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map two maps, the smaller first, to logits `(N, outputs, H, W)` of the larger's size."""
        small, large = maps
        weights = torch.sigmoid(self.scale(torch.mean(F.relu(small), (2, 3), keepdim=True)))
        weighted = F.relu(self.norm(self.conv(small))) * weights
        found: Tensor = self.classify(resized_to(weighted, large))
        of_large: Tensor = self.classify_large(F.relu(large))
        return found + of_large

    def accepting(self, in_channels: tuple[int, ...]) -> "LrasppBlock":
        """Return a fresh head for maps of `in_channels`."""
        return LrasppBlock(in_channels, self.outputs, self.width)


class Filter(nn.Module):
    """A convolution with batch norm and ReLU, which may be separable."""

    def __init__(self, in_channels: int, width: int, kernel: int, separable: bool) -> None:
        super().__init__()
        first = in_channels if separable else width
        groups = in_channels if separable else 1
        self.filter = conv(in_channels, first, kernel, groups=groups)
        self.filter_norm = BatchNorm(first) if separable else None
        self.mix = conv(in_channels, width) if separable else None
        self.norm = BatchNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, in, H, W)` to `(N, width, H, W)`."""
        x = self.filter(x)
        if self.filter_norm is not None and self.mix is not None:
            x = self.mix(F.relu(self.filter_norm(x)))
        y: Tensor = self.norm(x)
        return F.relu(y)


class DecoderBlock(DenseHead):
    """A top-down decoder: a feature pyramid (arXiv 1612.03144), or like a U-Net's (1505.04597).

    `concat`: whether maps are concatenated, not added. `separable`: whether convolutions are.
    """

    def __init__(
        self,
        in_channels: tuple[int, ...],
        outputs: int,
        width: int = 32,
        kernel: int = 3,
        *,
        concat: bool = False,
        separable: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels, self.outputs = in_channels, outputs
        self.width, self.kernel, self.concat, self.separable = width, kernel, concat, separable
        self.laterals = nn.ModuleList(Filter(each, width, 1, False) for each in in_channels)
        merged = 2 * width if concat else width
        self.filters = nn.ModuleList(
            Filter(merged, width, kernel, separable) for _ in in_channels[1:]
        )
        self.classify = conv(width, outputs, bias=True)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map `(N, C_i, H_i, W_i)`, the smallest first, to `(N, outputs, H, W)` of the last."""
        first, *others = (lateral(each) for lateral, each in zip(self.laterals, maps, strict=True))
        for smooth, larger in zip(self.filters, others, strict=True):
            enlarged = resized_to(first, larger)
            first = smooth(torch.cat((enlarged, larger), 1) if self.concat else enlarged + larger)
        logits: Tensor = self.classify(first)
        return logits

    def accepting(self, in_channels: tuple[int, ...]) -> "DecoderBlock":
        """Return a fresh head for maps of `in_channels`."""
        return DecoderBlock(
            in_channels,
            self.outputs,
            self.width,
            self.kernel,
            concat=self.concat,
            separable=self.separable,
        )


def resized_to(x: Tensor, other: Tensor) -> Tensor:
    """Return a map `(N, C, h, w)` as `(N, C, H, W)`, resized bilinearly to the size of `other`."""
    size = other.shape[-2:]
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)

"""The heads of networks for segmentation and detection: they read maps of several resolutions.

For segmentation they put out logits for each pixel. For detection they put out a list of points
`(N, P, LENGTHS + classes)`. The numbers of a point are its x and y in pixels of the image
(`POINT`); the distances from there to the left, top, right and bottom side of its box, also in
pixels (`DISTANCES`); and a logit for each class.
"""

from collections.abc import Sequence
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.nn.norms import BatchNorm
from neptune_nas.nn.substages import conv

POINT, DISTANCES, LENGTHS = slice(0, 2), slice(2, 6), 6
_SIDES = 4  # of a box
_SURE = 0.01  # probability that fresh weights give each class (arXiv 1708.02002)
_LONGEST = 8.0  # logarithm of a distance in cells


class DenseHead(nn.Module):
    """The base of heads that read a list of maps `(N, C_i, H_i, W_i)`, the smallest first.

    `in_channels`: those of each map.
    """

    in_channels: tuple[int, ...]

    def fitted(self, found: Any, images: Tensor) -> Tensor:
        """Return the network's outputs, of what `forward` gives for maps of `images`.

        Logits `(N, outputs, h, w)` are enlarged to the images.
        """
        return resized_to(found, images)


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


class DetectionBlock(DenseHead):
    """A detector without anchors (arXiv 1904.01355) on a feature pyramid (arXiv 1612.03144).

    `separable`: whether convolutions are. `depth`: those of each level before its predictor.
    """

    def __init__(
        self,
        in_channels: tuple[int, ...],
        outputs: int,
        width: int = 32,
        kernel: int = 3,
        *,
        depth: int = 1,
        separable: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels, self.outputs = in_channels, outputs
        self.width, self.kernel, self.depth, self.separable = width, kernel, depth, separable
        self.laterals = nn.ModuleList(Filter(each, width, 1, False) for each in in_channels)
        self.filters = nn.ModuleList(
            Filter(width, width, kernel, separable) for _ in in_channels[1:]
        )
        self.towers = nn.ModuleList(
            nn.Sequential(*(Filter(width, width, kernel, separable) for _ in range(depth)))
            for _ in in_channels
        )
        self.predictors = nn.ModuleList(
            conv(width, outputs + _SIDES, bias=True) for _ in in_channels
        )
        for predictor in self.predictors:
            bias = predictor.bias
            assert isinstance(bias, Tensor)
            nn.init.zeros_(bias)
            nn.init.constant_(bias[_SIDES:], log(_SURE / (1 - _SURE)))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map `(N, C_i, H_i, W_i)`, the smallest first, to `(N, 4 + outputs, H_i, W_i)` each.

        These are the logarithms of four distances in cells of the map, and the logits.
        """
        levels: list[Tensor] = []
        for lateral, each in zip(self.laterals, maps, strict=True):
            level: Tensor = lateral(each)
            if levels:
                smooth = self.filters[len(levels) - 1]
                level = smooth(level + resized_to(levels[-1], level))
            levels.append(level)
        parts = zip(self.towers, self.predictors, levels, strict=True)
        return [predict(tower(level)) for tower, predict, level in parts]

    def fitted(self, found: Any, images: Tensor) -> Tensor:
        """Return the points of all levels in one list, `(N, P, 6 + outputs)`, in float32."""
        return torch.cat([_points(each.float(), images) for each in found], 1)

    def accepting(self, in_channels: tuple[int, ...]) -> "DetectionBlock":
        """Return a fresh head for maps of `in_channels`."""
        return DetectionBlock(
            in_channels,
            self.outputs,
            self.width,
            self.kernel,
            depth=self.depth,
            separable=self.separable,
        )


def _points(level: Tensor, images: Tensor) -> Tensor:
    """Return what a level predicts, `(N, C, h, w)`, as points `(N, h * w, 2 + C)`."""
    strides = [image / side for image, side in zip(images.shape[2:], level.shape[2:], strict=True)]
    down, right = (
        (torch.arange(side, device=level.device) + 0.5) * stride
        for side, stride in zip(level.shape[2:], strides, strict=True)
    )
    places = torch.stack(torch.meshgrid(right, down, indexing="xy"), -1).flatten(0, 1)
    points = places.to(level.dtype).expand(level.shape[0], -1, -1)
    distances, logits = level.flatten(2).transpose(1, 2).tensor_split((_SIDES,), 2)
    scale = torch.tensor((strides[1], strides[0]) * 2, device=level.device)
    return torch.cat((points, distances.clamp(max=_LONGEST).exp() * scale, logits), 2)


def resized_to(x: Tensor, other: Tensor) -> Tensor:
    """Return a map `(N, C, h, w)` as `(N, C, H, W)`, resized bilinearly to the size of `other`."""
    size = other.shape[-2:]
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


POINT, DISTANCES, LENGTHS = slice(0, 2), slice(2, 6), 6
_SIDES = 4  # of a box

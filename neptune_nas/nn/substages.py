"""The operations of SubStages and of a stage's entry, on maps `(N, C, H, W)`.

Each starts with its own non-linearity, if it has one, and ends linear: the stage's norm follows.
A SubStage keeps the shape; an entry may change the channels and, by its stride, the size, which
becomes `ceil(H / stride)`.
"""

from math import gcd
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.errors import ArchitectureError
from neptune_nas.nn.convolutions import mended
from neptune_nas.nn.norms import SHIFTLESS, cell_means, inner_norm, make_norm

_CHANNELS = 8  # of which the hidden width of a squeeze-and-excitation is a multiple


@mended
def conv(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
) -> nn.Conv2d:
    """Return a convolution, padded so that only the stride changes the size."""
    widths, padding = (in_channels, out_channels), kernel // 2
    return nn.Conv2d(*widths, kernel, stride, padding, groups=groups, bias=bias)


class Convolution(nn.Module):
    """ReLU, then a convolution; `groups="depthwise"` makes as many groups as both widths allow."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        groups: int | Literal["depthwise"] = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.groups = in_channels, groups
        number = gcd(in_channels, out_channels) if groups == "depthwise" else groups
        if in_channels % number or out_channels % number:
            raise ArchitectureError(
                f"`Convolution.groups` must divide both widths, but {number} does not divide "
                f"{in_channels} and {out_channels}."
            )
        self.conv = conv(in_channels, out_channels, kernel, stride=stride, groups=number, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, in, H, W)` to `(N, out, H / stride, W / stride)`, sizes rounded up."""
        y: Tensor = self.conv(F.relu(x))
        return y

    def accepting(self, in_channels: int) -> "Convolution":
        """Return a fresh copy for `in_channels`."""
        old = self.conv
        return Convolution(
            in_channels,
            old.out_channels,
            old.kernel_size[0],
            stride=old.stride[0],
            groups=self.groups,
            bias=old.bias is not None,
        )


class Projection(nn.Module):
    """An identity, or a 1x1 convolution if the shape changes."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.stride, self.bias = stride, bias
        changes = in_channels != out_channels or stride != 1
        self.conv = (
            conv(in_channels, out_channels, stride=stride, bias=bias) if changes else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, in, H, W)` to `(N, out, H / stride, W / stride)`, sizes rounded up."""
        y: Tensor = self.conv(x)
        return y

    def accepting(self, in_channels: int) -> "Projection":
        """Return a fresh copy for `in_channels`."""
        return Projection(in_channels, self.out_channels, self.stride, self.bias)


def squeezed_width(inner: int, squeeze: int) -> int:
    """Return the hidden width of a squeeze-and-excitation: about `inner / squeeze`.

    It is the nearest multiple of 8, but 8 at least and no less than nine tenths, as in MobileNetV3.

    >>> squeezed_width(72, 4), squeezed_width(96, 4), squeezed_width(16, 4)
    (24, 24, 8)
    """
    exact = inner // squeeze
    nearest = max(_CHANNELS, (exact + _CHANNELS // 2) // _CHANNELS * _CHANNELS)
    return nearest if nearest >= 0.9 * exact else nearest + _CHANNELS


class SqueezeExcitation(nn.Module):
    """A map times a factor for each channel, which its means decide (arXiv 1709.01507)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = conv(channels, hidden, bias=True)
        self.excite = conv(hidden, channels, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, C, H, W)` to the same shape."""
        means = torch.mean(x, (2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(means))))


class InvertedResidualBlock(nn.Module):
    """MobileNetV2's block without its last norm and shortcut (arXiv 1801.04381).

    Expand by 1x1 (left out if `expansion` is 1), norm, ReLU, depthwise, norm, ReLU, project by 1x1.
    The norms of the wide hidden maps are `norm`, or batch norm if that gathers statistics over
    other positions or layers (see `inner_norm`). With `squeeze`, squeeze-and-excitation with
    `squeezed_width` hidden channels precedes the projection, as in MobileNetV3 (arXiv 1905.02244),
    but with a plain sigmoid.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        *,
        expansion: int = 4,
        stride: int = 1,
        norm: str = "batch",
        squeeze: int = 0,
    ) -> None:
        super().__init__()
        self.in_channels, self.expansion, self.kind = in_channels, expansion, inner_norm(norm)
        self.factor = squeeze
        inner, bias = in_channels * expansion, norm in SHIFTLESS
        self.expand = nn.Identity() if expansion == 1 else self.expander(inner, bias)
        self.depthwise = conv(inner, inner, kernel, stride=stride, groups=inner, bias=bias)
        self.norm = make_norm(self.kind, inner)
        self.squeeze = (
            SqueezeExcitation(inner, squeezed_width(inner, squeeze)) if squeeze else nn.Identity()
        )
        self.project = conv(inner, out_channels, bias=bias)

    def expander(self, inner: int, bias: bool) -> nn.Module:
        """Return the 1x1 convolution to `inner` channels with norm and ReLU."""
        expand = conv(self.in_channels, inner, bias=bias)
        return nn.Sequential(expand, make_norm(self.kind, inner), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, in, H, W)` to `(N, out, H / stride, W / stride)`, sizes rounded up."""
        inside = self.norm(self.depthwise(self.expand(x)))
        y: Tensor = self.project(self.squeeze(F.relu(inside)))
        return y

    def accepting(self, in_channels: int) -> "InvertedResidualBlock":
        """Return a fresh copy for `in_channels`."""
        return InvertedResidualBlock(
            in_channels,
            self.project.out_channels,
            self.depthwise.kernel_size[0],
            expansion=self.expansion,
            stride=self.depthwise.stride[0],
            norm=self.kind,
            squeeze=self.factor,
        )


class FeedForwardBlock(nn.Module):
    """Two 1x1 convolutions with a GELU between them, `expansion` times as wide inside."""

    def __init__(self, channels: int, expansion: int = 2, bias: bool = False) -> None:
        super().__init__()
        self.expand = conv(channels, channels * expansion, bias=bias)
        self.project = conv(channels * expansion, channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, C, H, W)` to the same shape."""
        y: Tensor = self.project(F.gelu(self.expand(x)))
        return y


class SelfAttention(nn.Module):
    """Multi-head self-attention over the positions of a map (arXiv 1706.03762).

    `window`: the side, in pixels, of the squares to attend in, 0 for the whole map; the map is
    padded with zeros to whole windows, as for a convolution. `stride`: keys and values come from
    the map (or the window) average-pooled by that factor (arXiv 2102.12122).
    """

    def __init__(
        self,
        channels: int,
        heads: int = 4,
        *,
        window: int = 0,
        stride: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        if channels % heads:
            raise ArchitectureError(
                f"`SelfAttention.heads` must divide the width, but {heads} does not divide "
                f"{channels}."
            )
        self.heads, self.window, self.stride = heads, window, stride
        self.query = conv(channels, channels, bias=bias)
        self.key_value = conv(channels, 2 * channels, bias=bias)
        self.project = conv(channels, channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, C, H, W)` to the same shape."""
        height, width = x.shape[2:]
        if self.window == 0 or self.window >= max(height, width):
            y: Tensor = self.project(self.attend(x))
            return y
        right, below = -width % self.window, -height % self.window
        padded = F.pad(x, (0, right, 0, below)) if right or below else x
        mixed = join(self.attend(split(padded, self.window)), padded.shape)
        cropped: Tensor = self.project(mixed[:, :, :height, :width])
        return cropped

    def attend(self, x: Tensor) -> Tensor:
        """Attend from every position of `(N, C, H, W)` to its whole (pooled) map."""
        pooled = cell_means(x, (self.stride, self.stride)) if self.stride > 1 else x
        query, key, value = *self.tokens(self.query(x), 1), *self.tokens(self.key_value(pooled), 2)
        y = attention(query, key, value).transpose(1, 2).flatten(2)
        return y.mT.reshape(x.shape)

    def tokens(self, x: Tensor, count: int) -> tuple[Tensor, ...]:
        """Split `(N, count * C, H, W)` into `count` tensors `(N, heads, H * W, C / heads)`.

        With channels last all are views, whose last axis is dense: the fused kernels need it.
        """
        rows = x.contiguous(memory_format=torch.channels_last).flatten(2).mT
        depth = rows.shape[2] // (count * self.heads)
        parts = rows.reshape(*rows.shape[:2], count, self.heads, depth)
        return parts.permute(2, 0, 3, 1, 4).unbind()


_FEW_KEYS = 64  # keys up to which all scores take a small share of a network's memory


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return the scaled dot-product attention of `(N, heads, L, d)`.

    On a CPU with few keys, plain matrix products take half the time of the fused kernel. With many
    keys, whose scores would take too much memory, the fused kernel is used, but without autocast:
    in bfloat16 it takes 1.1 to 5 times as long.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value)
    kind = torch.promote_types(query.dtype, torch.float32)
    if key.shape[2] <= _FEW_KEYS:
        scores = (query * query.shape[3] ** -0.5) @ key.mT
        return torch.matmul(scores.softmax(3, dtype=kind).to(value.dtype), value)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(query.to(kind), key.to(kind), value.to(kind))


def split(x: Tensor, window: int) -> Tensor:
    """Cut `(N, C, H, W)` into `(N * H * W / window^2, C, window, window)`, channels last."""
    n, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1)
    grid = rows.reshape(n, height // window, window, width // window, window, channels)
    return grid.transpose(2, 3).flatten(0, 2).permute(0, 3, 1, 2)


def join(windows: Tensor, shape: torch.Size) -> Tensor:
    """Return the map of `shape` that `split` cut into `windows`."""
    n, channels, height, width = shape
    window = windows.shape[-1]
    rows = windows.permute(0, 2, 3, 1)
    grid = rows.reshape(n, height // window, width // window, window, window, channels)
    return grid.transpose(2, 3).reshape(n, height, width, channels).permute(0, 3, 1, 2)

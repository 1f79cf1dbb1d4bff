"""Normalisations of feature maps `(N, C, H, W)`, all called as `norm(x, earlier)`.

`earlier` holds the raw outputs, oldest first, of the layers before this one in its stage; only
`MLN` reads it. Every norm but "none" and "local_response" has a learned scale for each channel.
`torch.group_norm` serves most of them, since `F.group_norm` refuses a single value.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.errors import ArchitectureError, one_of

EPS = 1e-5
_HALF = (torch.bfloat16, torch.float16)
SHIFTLESS = frozenset({"none", "local_response", "rms"})
"""Norms without a learned shift: a convolution before one of them has a bias."""


class Affine(nn.Module):
    """The base of norms with a learned scale and shift for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def normalise(self, x: Tensor, groups: int) -> Tensor:
        """Normalise `(N, C, H, W)` over each of `groups` groups of channels, image by image.

        On a CPU with several groups it computes in float32 at least: torch takes up to 30 times as
        long for bfloat16 with channels last.
        """
        wide = _single(x) if groups > 1 and x.device.type == "cpu" else x
        return torch.group_norm(wide, groups, self.weight, self.bias, EPS).to(x.dtype)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation (arXiv 1502.03167)."""

    def forward(self, input: Tensor, earlier: Sequence[Tensor] = ()) -> Tensor:  # noqa: A002  # torch's name
        """Normalise each channel of `(N, C, H, W)` over the batch and the positions."""
        if self.training and input.numel() == self.num_features:
            raise ArchitectureError(
                "norm 'batch': training needs more than one value a channel, but got one image "
                "with a map of 1x1: take a larger batch or image, or another norm."
            )
        return super().forward(input)


class GroupNorm(Affine):
    """Group normalisation (arXiv 1803.08494): statistics over groups of at least 8 channels.

    With one group it is layer normalisation over `(C, H, W)` (arXiv 1607.06450).
    """

    def __init__(self, channels: int, groups: int | None = None) -> None:
        super().__init__(channels)
        self.groups = even_groups(channels) if groups is None else groups

    def forward(self, x: Tensor, earlier: Sequence[Tensor] = ()) -> Tensor:
        """Normalise each image of `(N, C, H, W)`."""
        return self.normalise(x, self.groups)


class InstanceNorm(Affine):
    """Instance normalisation (arXiv 1607.08022): each channel of each image over its positions.

    A map of one pixel has no other positions: it is normalised over its channels.
    """

    def forward(self, x: Tensor, earlier: Sequence[Tensor] = ()) -> Tensor:
        """Normalise each channel of each image of `(N, C, H, W)`."""
        return self.normalise(x, 1 if _single_pixel(x) else x.shape[1])


class RMSNorm(nn.Module):
    """Root mean square normalisation (arXiv 1910.07467) over `(C, H, W)`: no mean, no shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor, earlier: Sequence[Tensor] = ()) -> Tensor:
        """Divide each image of `(N, C, H, W)` by its root mean square."""
        square = _by_image(x).square().mean(1)[:, None, None, None]
        return (x * ((square + EPS).rsqrt() * self.weight)).to(x.dtype)


class LocalResponseNorm(nn.Module):
    """AlexNet's local response normalisation over 5 neighbouring channels; nothing is learned."""

    def forward(self, x: Tensor, earlier: Sequence[Tensor] = ()) -> Tensor:
        """Damp each value of `(N, C, H, W)` by the squares of its neighbours."""
        return F.local_response_norm(x, size=5)


class NoNorm(nn.Module):
    """The absence of a norm."""

    def forward(self, x: Tensor, earlier: Sequence[Tensor] = ()) -> Tensor:
        """Return the map itself."""
        return x


class LRN(Affine):
    """Self-attentive normalisation: each position by attention-weighted statistics of the map.

    `y = (x - m) / sqrt(v + eps) * gamma + beta`, where `m` and `v` are the mean and variance of
    each channel that the position's cell gathers. The map is cut into at most `grid` x `grid` cells
    of at least 2x2 pixels, and cells attend to cells, so that the cost of attention does not grow
    with the map. A cell counts by its pixels; its mean and mean square are pooled separately, so
    equal weights give instance normalisation exactly. The norm starts like that, with queries of
    zero. Half of the attention stays uniform: `v` is then at least half the map's variance, so that
    even a flat cell cannot blow the map up. A map of one pixel is normalised over its channels.
    """

    def __init__(self, channels: int, grid: int = 4) -> None:
        super().__init__(channels)
        self.grid = grid
        dim = max(4, channels // 8)
        self.query = nn.Parameter(torch.zeros(dim, channels))
        self.key = nn.Parameter(torch.randn(dim, channels) * (channels * dim) ** -0.5)

    def forward(self, x: Tensor, earlier: Sequence[Tensor] = ()) -> Tensor:
        """Normalise each position of each image of `(N, C, H, W)`."""
        if _single_pixel(x):
            return self.normalise(x, groups=1)
        with _full_precision(x):  # the variance is a difference of squares
            return self.by_cells(_single(x)).to(x.dtype)

    def by_cells(self, x: Tensor) -> Tensor:
        """Apply the formula as a scale and a shift for each cell."""
        rows, columns = (cell_sizes(side, self.grid) for side in x.shape[2:])
        pixels = torch.outer(filled(x, rows), filled(x, columns)).flatten()
        share = pixels / x.shape[2:].numel()
        step = (rows[0], columns[0])
        means = cell_means(x, step)
        # Centring changes only how squares are rounded, so it needs no gradient.
        centre = (means.detach() * share.view(means.shape[2:])).sum((2, 3), keepdim=True)
        x = x - centre
        squares = cell_means(x.square(), step)
        moments = torch.cat((means - centre, squares), 1).flatten(2).mT
        m, variance = _mean_and_variance(self.attend(moments, share))
        scale = (variance + EPS).rsqrt() * self.weight
        return _spread(x, scale, self.bias - m * scale, step)

    def attend(self, moments: Tensor, share: Tensor) -> Tensor:
        """Return the moments `(N, cells, 2 C)` that each cell gathers from all cells' moments.

        `share`: each cell's share of the pixels, `(cells,)`.
        """
        whole = (moments * share[:, None]).sum(1, keepdim=True)
        mean, variance = _mean_and_variance(whole)
        z = (moments[:, :, : mean.shape[2]] - mean) * (variance + EPS).rsqrt()
        query, key = z @ self.query.mT, z @ (self.key.mT * mean.shape[2] ** -0.5)
        weights = (query @ key.mT + share.log()).softmax(2)
        return torch.lerp(whole, weights @ moments, 0.5)


class MLN(Affine):
    """Multi-layer normalisation: by a learned mixture of this and earlier layers' statistics.

    `y = (x - m) / sqrt(v + eps) * gamma + beta` with `m` and `v` the sums, weighted by a softmax of
    `mixture` (this layer's first, then from the latest to the oldest), of the layers' means and
    variances over `(C, H, W)`. With one layer it is layer normalisation, without a mixture to
    learn.
    """

    def __init__(self, channels: int, layers: int = 1) -> None:
        super().__init__(channels)
        self.mixture = nn.Parameter(torch.zeros(layers)) if layers > 1 else None

    def forward(self, x: Tensor, earlier: Sequence[Tensor] = ()) -> Tensor:
        """Normalise each image of `(N, C, H, W)` by the statistics of at most `layers` layers."""
        if self.mixture is None or not earlier:
            return self.normalise(x, groups=1)
        layers = [x, *reversed(earlier)][: len(self.mixture)]
        weights = self.mixture[: len(layers)].softmax(0)
        moments = [statistics(layer) for layer in layers]
        mean, variance = (
            (torch.stack(statistic, 1) * weights).sum(1, keepdim=True)
            for statistic in zip(*moments, strict=True)
        )
        scale = (variance + EPS).rsqrt() * self.weight
        shift = self.bias - mean * scale
        return torch.addcmul(shift[:, :, None, None], x, scale[:, :, None, None]).to(x.dtype)


KINDS: dict[str, Callable[[int, int], nn.Module]] = {
    "batch": lambda channels, _: BatchNorm(channels),
    "layer": lambda channels, _: GroupNorm(channels, groups=1),
    "group": lambda channels, _: GroupNorm(channels),
    "instance": lambda channels, _: InstanceNorm(channels),
    "rms": lambda channels, _: RMSNorm(channels),
    "local_response": lambda *_: LocalResponseNorm(),
    "lrn": lambda channels, _: LRN(channels),
    "mln": lambda channels, layers: MLN(channels, layers),
    "none": lambda *_: NoNorm(),
}


def make_norm(kind: str, channels: int, layers: int = 1) -> nn.Module:
    """Return the norm named `kind`; an MLN mixes `layers` layers, this and earlier ones."""
    if kind not in KINDS:
        raise ArchitectureError(f"norm {kind!r}: unknown, {one_of(KINDS, kind)}")
    return KINDS[kind](channels, layers)


def inner_norm(kind: str) -> str:
    """Return the norm to use inside an operation, on maps that no other layer of the stage reads.

    The norms that gather statistics over other positions or layers, "lrn" and "mln", are for
    outputs of a Stage's layers; inside, batch norm replaces them.
    """
    return "batch" if kind in ("lrn", "mln") else kind


def even_groups(channels: int, least: int = 8) -> int:
    """Return the largest number of equal groups that leaves at least `least` channels in each.

    >>> even_groups(32), even_groups(20), even_groups(7)
    (4, 2, 1)
    """
    root, most = isqrt(channels), max(1, channels // least)
    small = [each for each in range(1, root + 1) if channels % each == 0]
    return max(each for each in (*small, *(channels // each for each in small)) if each <= most)


def _single(x: Tensor) -> Tensor:
    """Return the map in float32 if it is in half precision, else itself."""
    return x.float() if x.dtype in _HALF else x


def _by_image(x: Tensor) -> Tensor:
    """Return each image's values `(N, C * H * W)` in float32 at least: a view, in memory order."""
    values = _single(x)
    return (values if values.is_contiguous() else values.permute(0, 2, 3, 1)).flatten(1)


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and variance of each image, `(N,)`, in half the time of `torch.var_mean`."""
    values = _by_image(x)
    mean = values.mean(1, keepdim=True)
    return mean.squeeze(1), (values - mean).square().mean(1)


def cell_sizes(side: int, grid: int) -> list[int]:
    """Return the sides of at most `grid` cells in pixels: equal ones, 2 or more, then the rest.

    >>> cell_sizes(32, 4), cell_sizes(7, 4), cell_sizes(1, 4)
    ([8, 8, 8, 8], [2, 2, 2, 1], [1])
    """
    step = min(side, max(2, -(-side // grid)))
    return [min(step, side - start) for start in range(0, side, step)]


def filled(x: Tensor, sides: list[int]) -> Tensor:
    """Return the sides of cells, equal but for the last, as a tensor with the dtype of `x`.

    It is made on the device of `x`: a copy from the host would make the host wait for the device.
    """
    return torch.cat((x.new_full((len(sides) - 1,), sides[0]), x.new_full((1,), sides[-1])))


def cell_means(x: Tensor, step: tuple[int, int]) -> Tensor:
    """Return the mean of each cell of `step` pixels; the last cells are cut off at the map's end.

    There is no padding, but onnxruntime 1.22 divides cut-off cells by the size of a whole one
    unless `count_include_pad` is off.
    """
    return F.avg_pool2d(x, step, ceil_mode=True, count_include_pad=False)


def _mean_and_variance(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Return means and variances `(N, cells, C)` from means and mean squares `(N, cells, 2 C)`."""
    mean, square = moments.chunk(2, 2)
    return mean, (square - mean.square()).clamp(min=0)


def _spread(x: Tensor, scale: Tensor, shift: Tensor, step: tuple[int, int]) -> Tensor:
    """Scale and shift each pixel of a map `(N, C, H, W)` by the values `(N, cells, C)` of its cell.

    Cells have `step` pixels a side and are cut off at the map's end.
    """
    height, width = x.shape[2:]
    grid = (-(-height // step[0]), -(-width // step[1]))
    scales, shifts = (
        # Channels last is the layout in which pooling and repeating are fast.
        F.interpolate(each.mT.reshape(*x.shape[:2], *grid), scale_factor=tuple(map(float, step)))
        for each in (scale, shift)
    )
    if scales.shape != x.shape:
        scales, shifts = (each[:, :, :height, :width] for each in (scales, shifts))
    return torch.addcmul(shifts, x, scales)


def _full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Switch autocast off on the device of `x`, unless that is the meta device."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if kind != "meta" else nullcontext()


def _single_pixel(x: Tensor) -> bool:
    """Return whether the map `(N, C, H, W)` has only one position."""
    return x.shape[2] == x.shape[3] == 1

"""A Stage: entry (a convolution), pooling, norm, then its SubStages."""

import copy
from collections.abc import Sequence
from itertools import accumulate
from math import gcd

import torch
from torch import Tensor, nn

from neptune_nas.errors import ArchitectureError, OwnCodeError, one_of
from neptune_nas.nn.norms import SHIFTLESS, make_norm
from neptune_nas.nn.refit import refit
from neptune_nas.nn.substages import Convolution, InvertedResidualBlock, SelfAttention, conv

_POOLS = ("max", "avg", "conv", "none")


class Cell(nn.Module):
    """One SubStage in its place: its inputs, its operation, its norm and its shortcut.

    If `sources` is above 1, that many maps of `channels` are concatenated and projected to one by a
    1x1 convolution. `op` maps `(N, C, H, W)` to the same shape; None is the identity, which has
    neither norm nor shortcut. `layers` counts this and the earlier layers of the stage (for MLN).
    """

    def __init__(
        self,
        op: nn.Module | None,
        channels: int,
        norm: str = "lrn",
        *,
        sources: int = 1,
        layers: int = 1,
        residual: bool = False,
    ) -> None:
        super().__init__()
        bias = norm in SHIFTLESS
        self.project = conv(sources * channels, channels, bias=bias) if sources > 1 else None
        self.op = op
        self.norm = make_norm("none" if op is None else norm, channels, layers)
        self.residual = residual

    def forward(self, sources: Sequence[Tensor], layers: Sequence[Tensor] = ()) -> list[Tensor]:
        """Return a list that ends in the output; with an operation, its raw output comes before.

        `sources` and `layers`, the raw outputs of earlier layers, are all `(N, C, H, W)`.
        """
        x = sources[0] if self.project is None else self.project(torch.cat(tuple(sources), 1))
        if self.op is None:
            return [x]
        raw = self.op(x)
        if raw.shape != x.shape:
            raise OwnCodeError(  # only a user's operation can do that
                f"SubStage `{type(self.op).__name__}` must keep the shape of its input, "
                f"{tuple(x.shape)}, but gave {tuple(raw.shape)}."
            )
        y = self.norm(raw, layers)
        return [raw, x + y if self.residual else y]


class StageBlock(nn.Module):
    """A light, independent stage: `(N, in, H, W)` to `(N, out, H', W')`.

    `entry` maps the channels with a stride that must equal `stride` (default: a 3x3 `Convolution`);
    `pool` halves the map ("max", "avg", or "conv": 2x2 with stride 2) or keeps it ("none"); a norm
    follows. Then come the SubStages, each with a norm of the same kind (default: a 3x3 convolution
    and self-attention; None is the identity). `sources` lists for each SubStage the outputs it
    reads: 0 is the entry's, i that of the i-th SubStage (default: the last one). `residual` adds
    each SubStage's input to its output.

    >>> StageBlock(16, 32)(torch.zeros(2, 16, 8, 8)).shape
    torch.Size([2, 32, 4, 4])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        entry: nn.Module | None = None,
        stride: int = 1,
        pool: str = "max",
        norm: str = "lrn",
        substages: Sequence[nn.Module | None] | None = None,
        sources: Sequence[tuple[int, ...]] | None = None,
        residual: bool = True,
    ) -> None:
        super().__init__()
        bias = norm in SHIFTLESS
        ops = _default_substages(out_channels, bias) if substages is None else substages
        self.in_channels, self.out_channels = in_channels, out_channels
        self.stride, self.halves = stride, pool != "none"
        self.sources = tuple(sources or ((i,) for i in range(len(ops))))
        self.entry = entry or Convolution(in_channels, out_channels, stride=stride, bias=bias)
        self.last_read = _last_read(self.sources)
        self.mixes = norm == "mln"
        self.pool = _make_pool(pool, out_channels, bias)
        self.norm = make_norm(norm, out_channels)
        self.shortcut = self.has_shortcut()
        self.substages = nn.ModuleList(
            Cell(op, out_channels, norm, sources=len(read), layers=layer, residual=residual)
            for op, read, layer in zip(ops, self.sources, _layer_numbers(ops), strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, in, H, W)` to `(N, out, H', W')`."""
        raw = self.pool(self.entry(x))
        y: Tensor = self.norm(raw)
        y = x + y if self.shortcut else y
        outputs, layers = {0: y}, [raw] if self.mixes else []
        del raw
        for i, (cell, sources) in enumerate(zip(self.substages, self.sources, strict=True)):
            *raws, y = cell([outputs[source] for source in sources], layers)
            layers.extend(raws if self.mixes else ())
            for source in self.last_read[i]:
                del outputs[source]
            outputs[i + 1] = y
        return y

    def accepting(self, in_channels: int) -> "StageBlock":
        """Return a copy for `in_channels`, with every weight that still fits."""
        fitted = copy.deepcopy(self)
        fitted.entry = refit(self.entry, in_channels)
        fitted.in_channels = in_channels
        fitted.shortcut = fitted.has_shortcut()
        return fitted

    def has_shortcut(self) -> bool:
        """Return whether the entry has a shortcut: an inverted residual that keeps the shape."""
        return (
            isinstance(self.entry, InvertedResidualBlock)
            and self.in_channels == self.out_channels
            and self.stride == 1
            and not self.halves
        )

    def least(self, side: int) -> int:
        """Return the least side of a map, in pixels, for an output of at least `side`."""
        return ((2 * side if self.halves else side) - 1) * self.stride + 1


def _layer_numbers(ops: Sequence[object | None]) -> list[int]:
    """Return the number of each SubStage among the layers of a stage; an identity is no layer.

    The entry is the first layer.

    >>> _layer_numbers(["attention", None, "conv"])
    [2, 3, 3]
    """
    before = accumulate((op is not None for op in ops), initial=0)
    return [2 + count for count, _ in zip(before, ops, strict=False)]


def _last_read(sources: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return for each SubStage the outputs that no later one reads, to free their memory.

    >>> _last_read([(0,), (0, 1)])
    ((), (0, 1))
    """
    last = {output: i for i, read in enumerate(sources) for output in read}
    return tuple(tuple(o for o, at in last.items() if at == i) for i in range(len(sources)))


def _default_substages(channels: int, bias: bool) -> tuple[nn.Module, ...]:
    """Return a 3x3 convolution and self-attention with up to four heads."""
    return (
        Convolution(channels, channels, bias=bias),
        SelfAttention(channels, gcd(channels, 4), bias=bias),
    )


def _make_pool(kind: str, channels: int, bias: bool) -> nn.Module:
    """Return the 2x2 pooling named `kind`."""
    match kind:
        case "max":
            return nn.MaxPool2d(2)
        case "avg":
            return nn.AvgPool2d(2)
        case "conv":
            return nn.Conv2d(channels, channels, 2, 2, bias=bias)
        case "none":
            return nn.Identity()
    raise ArchitectureError(f"pool {kind!r}: unknown, {one_of(_POOLS, kind)}")

"""The whole network: stem, stages, head."""

import copy
from collections.abc import Iterable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from neptune_nas.errors import ArchitectureError
from neptune_nas.nn.dense_heads import DenseHead
from neptune_nas.nn.heads import ClassificationHead, StemBlock
from neptune_nas.nn.refit import refit
from neptune_nas.nn.stage import StageBlock


class Neptune(nn.Module):
    """A network of independent stages between a stem and a head.

    Any part can be passed in; the defaults are a stem of 16 channels, `num_stages` stages of 32,
    64, ... channels, and a head for `classes` classes.

    >>> import torch
    >>> Neptune(input_channels=10, num_stages=3)(torch.zeros(2, 10, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        input_channels: int = 3,
        num_stages: int = 3,
        classes: int = 10,
        *,
        stem: StemBlock | None = None,
        stages: Sequence[StageBlock] | None = None,
        head: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.stem = stem or StemBlock(input_channels)
        widths = [self.stem.out_channels, *(32 * 2**i for i in range(num_stages))]
        found = [StageBlock(*pair) for pair in pairwise(widths)] if stages is None else stages
        if not found:
            raise ArchitectureError("`Neptune` needs at least one stage, but got none: add one.")
        self.stages = nn.ModuleList(found)
        self.head = head or ClassificationHead(found[-1].out_channels, classes)
        self.least = _least_image_side(self.stem, found)

    def forward(self, x: Tensor) -> Tensor:
        """Map images `(N, C, H, W)` to logits `(N, classes)`, or to what a `DenseHead` gives."""
        self.check(x)
        if isinstance(self.head, DenseHead):
            return self.head.fitted(self.head(self._maps_for(self.head, x)), x)
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        logits: Tensor = self.head(x)
        return logits

    def forward_features(self, x: Tensor) -> list[Tensor]:
        """Map images `(N, C, H, W)` to the feature maps `(N, C_i, H_i, W_i)` of all stages."""
        self.check(x)
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]

    def _maps_for(self, head: DenseHead, x: Tensor) -> list[Tensor]:
        """Return the maps that a head reads, the smallest first; no other is kept in memory."""
        places = level_places(self.stages)[: len(head.in_channels)]
        kept: list[Tensor] = []
        for place, part in enumerate((self.stem, *self.stages)):
            x = part(x)
            if place in places:
                kept.append(x)
        return kept[::-1]

    def check(self, x: Tensor) -> None:
        """Refuse images with other channels than the stem's, or with a side below `least`."""
        channels = self.stem.in_channels
        if x.ndim != 4 or x.shape[1] != channels or min(x.shape[2:]) < self.least:
            raise ArchitectureError(
                f"`Neptune` needs images (N, {channels}, H, W) of at least "
                f"{self.least}x{self.least} pixels, but got {tuple(x.shape)}."
            )

    def with_stage(self, index: int, stage: StageBlock) -> "Neptune":
        """Return a copy with `stage` as number `index`; every weight that still fits is kept.

        Stages and heads whose input changes keep the weights of the channels that remain; new
        channels get fresh weights. `stage` is fitted in the same way if it expects another width.
        """
        _require_index(index, len(self.stages))
        return self.rebuilt([*self.stages[:index], stage, *self.stages[index:]])

    def without_stage(self, index: int) -> "Neptune":
        """Return a copy without stage number `index`; every weight that still fits is kept."""
        _require_index(index, len(self.stages) - 1)
        return self.rebuilt([*self.stages[:index], *self.stages[index + 1 :]])

    def rebuilt(self, stages: Sequence[nn.Module]) -> "Neptune":
        """Return a copy with other stages, each fitted to the one before it."""
        width, fitted = self.stem.out_channels, list[StageBlock]()
        for stage in stages:
            assert isinstance(stage, StageBlock)
            fitted.append(stage.accepting(width))
            width = stage.out_channels
        stem = copy.deepcopy(self.stem)
        if not isinstance(self.head, DenseHead):
            return Neptune(stem=stem, stages=fitted, head=refit(self.head, width))
        widths = [stem.out_channels, *(stage.out_channels for stage in fitted)]
        places, needed = level_places(fitted), len(self.head.in_channels)
        if len(places) < needed:
            raise ArchitectureError(
                f"the head reads maps of {needed} resolutions, but these stages have {len(places)}."
            )
        channels = tuple(widths[place] for place in places[:needed])
        return Neptune(stem=stem, stages=fitted, head=refit(self.head, channels))


def level_places(stages: Iterable[nn.Module]) -> tuple[int, ...]:
    """Return where the last map of each resolution is, the smallest first; 0 is the stem's."""
    changes = [isinstance(stage, StageBlock) and stage.least(2) > 2 for stage in stages]
    last = len(changes)
    return (last, *(i for i in reversed(range(last)) if changes[i]))


def _require_index(index: int, last: int) -> None:
    """Refuse a stage number outside 0..last."""
    if not 0 <= index <= last:
        raise ArchitectureError(f"a stage's index must be in 0..{last}, but got {index!r}.")


def _least_image_side(stem: StemBlock, stages: Sequence[StageBlock]) -> int:
    """Return the least image side, in pixels, that leaves one pixel after every downsampling."""
    side = 1
    for stage in reversed(stages):
        side = stage.least(side)
    return (side - 1) * stem.stride + 1

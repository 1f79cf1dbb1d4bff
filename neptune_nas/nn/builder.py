"""The builder of networks from architectures, whole or part by part."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, overload

import torch
from torch import Tensor, nn

from neptune_nas.architecture import dense_heads, records
from neptune_nas.architecture.fields import UnknownRecord, require_classes
from neptune_nas.architecture.records import (
    Architecture,
    Network,
    level_places,
    resolve_connections,
)
from neptune_nas.errors import ArchitectureError
from neptune_nas.nn.dense_heads import DecoderBlock, DenseHead, DetectionBlock, LrasppBlock
from neptune_nas.nn.heads import ClassificationHead, StemBlock
from neptune_nas.nn.network import Neptune
from neptune_nas.nn.norms import SHIFTLESS
from neptune_nas.nn.stage import Cell, StageBlock
from neptune_nas.nn.substages import (
    Convolution,
    FeedForwardBlock,
    InvertedResidualBlock,
    Projection,
    SelfAttention,
)
from neptune_nas.nn.user_modules import build_module, build_network, builds_itself, check_builds
from neptune_nas.text import counted

Shape = tuple[int, int, int]
"""Channels, height, width of one image or map."""


@dataclass(frozen=True, slots=True)
class EntryPart:
    """The part of a stage before its SubStages: entry, pooling and norm."""

    width: int
    entry: Any
    stride: int
    pool: records.Pool
    norm: records.Norm


@dataclass(frozen=True, slots=True)
class SubStagePlace:
    """A SubStage in its place: it reads `sources` maps; its norm may mix `layers` layers."""

    substage: Any
    norm: records.Norm
    sources: int
    layers: int


@dataclass(frozen=True, slots=True)
class DensePlace:
    """A head for segmentation or detection in its place.

    It reads maps of these shapes, the smallest first.
    """

    head: dense_heads.DenseHead
    maps: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class OpaqueNetwork:
    """A network that a user's record builds and that has no known parts."""

    architecture: Any


@dataclass(frozen=True, slots=True)
class NetworkPart:
    """A piece of a network that costs the same in any place; equal parts differ in name only.

    `name`: its place, as in `stages.0.substages.1`. `shape`: `(C, H, W)` of its input. `outputs`:
    the number of logits, for the last part.
    """

    name: str = field(compare=False)
    what: records.Stem | EntryPart | SubStagePlace | records.Head | DensePlace | OpaqueNetwork
    shape: Shape
    outputs: int = 0

    @property
    def sources(self) -> tuple[Shape, ...]:
        """The shapes of the maps that it reads as a list; none for a part that reads one map."""
        match self.what:
            case SubStagePlace() as place:
                return (self.shape,) * place.sources
            case DensePlace() as place:
                return place.maps
        return ()

    def inputs(self, make: Callable[..., Tensor] = torch.empty) -> Tensor | list[Tensor]:
        """Return tensors that its module takes, made by `make` of their size, for one image."""
        return [make(1, *shape) for shape in self.sources] or make(1, *self.shape)


def parts(
    architecture: Architecture | Network, input_shape: Shape, outputs: int
) -> tuple[NetworkPart, ...]:
    """Return the parts of a network for images `(C, H, W)`, from the first to the last.

    A user's record is one part, named "network". Raises `ArchitectureError` for a record
    that builds no network, and if the images are too small, naming the size needed. A record of
    unknown class is a part too, which cannot be built.
    """
    if not isinstance(architecture, Architecture):
        if not isinstance(architecture, UnknownRecord):
            check_builds(architecture)
        return (NetworkPart("network", OpaqueNetwork(architecture), input_shape, outputs),)
    _check_size(architecture, input_shape)
    stem = architecture.stem
    found = [NetworkPart("stem", stem, input_shape)]
    height, width = (-(-side // stem.stride) for side in input_shape[1:])
    shape = (stem.width, height, width)
    maps = [shape]
    for i, stage in enumerate(architecture.stages):
        entry = EntryPart(stage.width, stage.entry, stage.stride, stage.pool, stage.norm)
        found.append(NetworkPart(f"stages.{i}.entry", entry, shape))
        shape = stage_shape(stage, shape)
        for j, place in enumerate(_places(stage)):
            found.append(NetworkPart(f"stages.{i}.substages.{j}", place, shape))
        maps.append(shape)
    found.append(NetworkPart("head", _head_place(architecture, maps), shape, outputs))
    return tuple(found)


def _head_place(architecture: Architecture, maps: list[Shape]) -> records.Head | DensePlace:
    """Return the head, with the maps that it reads among those of the stem and the stages."""
    head = architecture.head
    if isinstance(head, records.Head):
        return head
    return DensePlace(head, tuple(maps[i] for i in level_places(architecture)[: head.levels]))


def head_task(architecture: object) -> str | None:
    """Return the name of the task that a network's head is for; None for a user's own record."""
    return architecture.head.task if isinstance(architecture, Architecture) else None


def _places(stage: records.Stage) -> Iterator[SubStagePlace]:
    """Yield the SubStages of a stage, each with what its cost depends on."""
    layers = 2  # the entry and the first SubStage
    for substage, sources in zip(stage.substages, resolve_connections(stage), strict=True):
        yield SubStagePlace(
            substage, stage.norm, len(sources), layers if stage.norm == "mln" else 1
        )
        layers += not isinstance(substage, records.Identity)


def stage_shape(stage: records.Stage, shape: Shape) -> Shape:
    """Return the shape of a stage's output, given that of its input."""
    height, width = (-(-side // stage.stride) for side in shape[1:])
    if stage.pool != "none":
        height, width = height // 2, width // 2
    return stage.width, height, width


def least_size(architecture: Architecture | Network) -> int:
    """Return the least image side, in pixels, that leaves one pixel after every downsampling.

    It is 1 for a user's record, which itself refuses images that are too small.
    """
    if not isinstance(architecture, Architecture):
        return 1
    side = 1
    for stage in reversed(architecture.stages):
        side = ((side if stage.pool == "none" else 2 * side) - 1) * stage.stride + 1
    return (side - 1) * architecture.stem.stride + 1


def _check_size(architecture: Architecture, input_shape: Shape) -> None:
    """Refuse images with too few pixels for the downsamplings."""
    least = least_size(architecture)
    if min(input_shape[1:]) < least:
        raise ArchitectureError(
            f"an architecture with {counted(len(architecture.stages), 'stage')} needs images of at "
            f"least {least}x{least} pixels, one per downsampling, but got {input_shape[1]}x"
            f"{input_shape[2]}: take larger images, fewer stages, or pool='none'."
        )


def is_buildable(architecture: object) -> bool:
    """Return whether `build` can build the network of a record."""
    return isinstance(architecture, Architecture) or builds_itself(architecture)


@overload
def build(
    architecture: Architecture, input_shape: Shape, outputs: int, seed: int | None = None
) -> Neptune: ...


@overload
def build(
    architecture: Network, input_shape: Shape, outputs: int, seed: int | None = None
) -> nn.Module: ...


def build(
    architecture: Architecture | Network, input_shape: Shape, outputs: int, seed: int | None = None
) -> nn.Module:
    """Return the network of an architecture: images `(N, C, H, W)` to logits `(N, outputs)`.

    `input_shape`: `(C, H, W)`. Equal seeds give equal weights and leave the global random state as
    it was. Raises `ArchitectureError` for a record that builds no network, and if the images are
    too small, naming the size needed; `OwnCodeError` where a user's record fails.
    """
    # The one place where networks are built, the toolkit's and the user's.
    with nullcontext() if seed is None else seeded(seed):
        if isinstance(architecture, Architecture):
            return _neptune(architecture, input_shape, outputs)
        return build_network(architecture, input_shape, outputs)


def _neptune(architecture: Architecture, input_shape: Shape, outputs: int) -> Neptune:
    _check_size(architecture, input_shape)
    widths = [architecture.stem.width, *(stage.width for stage in architecture.stages)]
    return Neptune(
        stem=_build_stem(architecture.stem, input_shape[0]),
        stages=[
            build_stage(stage, width)
            for stage, width in zip(architecture.stages, widths, strict=False)
        ],
        head=_build_head(architecture, widths, outputs),
    )


def build_part(part: NetworkPart) -> nn.Module:
    """Return the module of a part alone; a `Cell` for a SubStage, which reads a list of sources."""
    channels = part.shape[0]
    match part.what:
        case records.Stem() as stem:
            return _build_stem(stem, channels)
        case records.Head() as head:
            return ClassificationHead(channels, part.outputs, head.width, head.dropout)
        case DensePlace(head, maps):
            return _build_dense_head(head, tuple(shape[0] for shape in maps), part.outputs)
        case OpaqueNetwork(architecture):
            network: nn.Module = build(architecture, part.shape, part.outputs)
            return network
        case SubStagePlace() as place:
            op = _build_substage(place.substage, channels, place.norm)
            return Cell(op, channels, place.norm, sources=place.sources, layers=place.layers)
        case EntryPart() as entry:
            stage = records.Stage(entry.width, entry.entry, entry.stride, entry.pool, entry.norm)
            return build_stage(stage, channels)


def _build_stem(stem: records.Stem, channels: int) -> StemBlock:
    """Build the stem for images with `channels` channels."""
    return StemBlock(channels, stem.width, stem.kernel, stem.stride)


def _build_head(architecture: Architecture, widths: list[int], outputs: int) -> nn.Module:
    """Build the head; `widths`: the channels of the maps of the stem and of all stages."""
    head = architecture.head
    if isinstance(head, records.Head):
        return ClassificationHead(widths[-1], outputs, head.width, head.dropout)
    channels = tuple(widths[i] for i in level_places(architecture)[: head.levels])
    return _build_dense_head(head, channels, outputs)


def _build_dense_head(
    head: dense_heads.DenseHead, channels: tuple[int, ...], outputs: int
) -> DenseHead:
    """Build a head for segmentation or detection, for maps with these channels."""
    match head:
        case dense_heads.LrasppHead(width):
            return LrasppBlock(channels, outputs, width)
        case dense_heads.DecoderHead(width, _, merge, kernel, groups):
            concat, separable = merge == "concat", groups == "depthwise"
            return DecoderBlock(
                channels, outputs, width, kernel, concat=concat, separable=separable
            )
        case dense_heads.DetectionHead(width, _, depth, kernel, groups):
            separable = groups == "depthwise"
            return DetectionBlock(
                channels, outputs, width, kernel, depth=depth, separable=separable
            )


def build_stage(stage: records.Stage, in_channels: int) -> StageBlock:
    """Build the stage for maps with `in_channels` channels."""
    return StageBlock(
        in_channels,
        stage.width,
        entry=_build_entry(stage, in_channels),
        stride=stage.stride,
        pool=stage.pool,
        norm=stage.norm,
        substages=[_build_substage(sub, stage.width, stage.norm) for sub in stage.substages],
        sources=resolve_connections(stage),
        residual=stage.connections == "residual",
    )


def _build_entry(stage: records.Stage, channels: int) -> nn.Module:
    """Build the entry, which maps `channels` to the stage's width with its stride."""
    width, stride, bias = stage.width, stage.stride, stage.norm in SHIFTLESS
    match stage.entry:
        case records.Conv(kernel, groups):
            return Convolution(channels, width, kernel, stride=stride, groups=groups, bias=bias)
        case records.InvertedResidual() as block:
            return _build_inverted(block, (channels, width), stride, stage.norm)
        case records.Identity():
            return Projection(channels, width, stride, bias)
    require_classes(stage.entry)
    raise ArchitectureError(
        f"`Stage.entry` must be a Conv, an InvertedResidual or an Identity, "
        f"but got {stage.entry!r}."
    )


def _build_inverted(
    block: records.InvertedResidual, widths: tuple[int, int], stride: int, norm: str
) -> InvertedResidualBlock:
    """Build an inverted residual between maps of two widths."""
    return InvertedResidualBlock(
        *widths,
        block.kernel,
        expansion=block.expansion,
        stride=stride,
        norm=norm,
        squeeze=block.squeeze,
    )


def _build_substage(substage: Any, width: int, norm: str) -> nn.Module | None:
    """Build the operation of a SubStage on maps of `width` channels; None for an identity."""
    bias = norm in SHIFTLESS
    match substage:
        case records.Conv(kernel, groups):
            return Convolution(width, width, kernel, groups=groups, bias=bias)
        case records.InvertedResidual() as block:
            return _build_inverted(block, (width, width), 1, norm)
        case records.Attention(heads, window, stride):
            return SelfAttention(width, heads, window=window, stride=stride, bias=bias)
        case records.FeedForward(expansion):
            return FeedForwardBlock(width, expansion, bias)
        case records.Identity():
            return None
        case records.SubStage():
            return build_module(substage, width)
    require_classes(substage)
    raise ArchitectureError(
        f"a SubStage must be one of the built-in records or a frozen dataclass with "
        f"`build(width)`, but got {substage!r}."
    )


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw weights from `seed` inside the context, and restore the global random state after it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield

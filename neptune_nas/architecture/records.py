"""Architectures as frozen records: every decision taken, nothing built.

The same records serve as the template of a space, with some fields left open by
`neptune_nas.space.choice` and the like, as one sampled architecture, and as the input of
`neptune_nas.nn.builder`.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

from neptune_nas.architecture.dense_heads import DenseHead
from neptune_nas.architecture.fields import LATER, Open, is_closed, is_record, written_values
from neptune_nas.errors import ArchitectureError
from neptune_nas.files.rules import ODD, OptionalSize, Size, at_least, below
from neptune_nas.files.schema import check, fault

Norm = Literal["batch", "layer", "group", "instance", "rms", "local_response", "lrn", "mln", "none"]
Pool = Literal["max", "avg", "conv", "none"]
Wiring = Literal["chain", "residual", "sparse", "dense"]

NORMS: tuple[Norm, ...] = get_args(Norm)
POOLS: tuple[Pool, ...] = get_args(Pool)
WIRINGS: tuple[Wiring, ...] = get_args(Wiring)


@runtime_checkable
class SubStage(Protocol):
    """A user's SubStage: a frozen dataclass that builds a shape-preserving module.

    It is searched, counted, trained, stored and read like the built-in ones, and needs no
    registration; reading it back needs its class to be allowed.
    """

    def build(self, width: int) -> Any:
        """Return a module that maps `(N, width, H, W)` to `(N, width, H, W)`."""


class Network(Protocol):
    """A user's architecture: a frozen dataclass that builds a whole network.

    A space may stand for such records instead of `Architecture`s: they are searched, counted,
    trained, stored and read in the same way, with no registration; reading one back needs its class
    to be allowed. The fields hold what JSON can: numbers, strings, booleans, None, tuples and
    records.
    """

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> Any:
        """Return a `torch.nn.Module` that maps images `(N, C, H, W)` to logits `(N, outputs)`.

        `input_shape`: `(C, H, W)` of the images, which are normalised. `outputs`: one per class.
        Draw weights from torch's own generator, so that a seed decides them. Costs are counted on
        the meta device, so `forward` creates tensors on the device of its input and reads none of
        their values. Raises `ArchitectureError` for images that are too small: a search leaves the
        network out.
        """


@dataclass(frozen=True, slots=True)
class Conv:
    """ReLU, then a square convolution in `groups` groups ("depthwise": one per channel).

    `kernel`: pixels a side, odd. Maps `(N, C, H, W)` keep their shape, except in the entry of a
    stage, which sets the width and stride; there "depthwise" makes as many groups as both widths
    allow. Raises `ArchitectureError` for numbers out of their range; its `Stage` raises it if the
    groups do not divide the width.
    """

    kernel: Annotated[Size, ODD] = 3
    groups: Size | Literal["depthwise"] = 1

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "Conv", Open)


@dataclass(frozen=True, slots=True, repr=False)
class InvertedResidual:
    """MobileNetV2's block: expand by 1x1, depthwise `kernel`, project by 1x1 (arXiv 1801.04381).

    `kernel`: pixels a side, odd. `expansion`: the factor by which the block is wider inside; with 1
    there is no expanding convolution, as in the paper. `squeeze`: 0, or the factor by which the
    squeeze-and-excitation before the projection is narrower than the block is inside, 4 in
    MobileNetV3 (arXiv 1905.02244). Maps `(N, C, H, W)` keep their shape, except in the entry of a
    stage. Raises `ArchitectureError` for numbers out of their range.
    """

    kernel: Annotated[Size, ODD] = 3
    expansion: Size = 4
    squeeze: OptionalSize = field(default=0, metadata=LATER)

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "InvertedResidual", Open)

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in written_values(self).items())
        return f"{type(self).__name__}({inner})"


@dataclass(frozen=True, slots=True)
class Attention:
    """Multi-head self-attention over the pixels of a map `(N, C, H, W)` (arXiv 1706.03762).

    `heads` must divide the width `C`. `window`: attend inside squares of that many pixels a side;
    0 attends everywhere. `stride`: keys and values are average-pooled by that factor first (arXiv
    2102.12122).
    Raises `ArchitectureError` for numbers out of their range.
    """

    heads: Size = 4
    window: OptionalSize = 0
    stride: Size = 1

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "Attention", Open)


@dataclass(frozen=True, slots=True)
class FeedForward:
    """Two 1x1 convolutions with a GELU between them, `expansion` times as wide inside.

    It is a transformer's feed-forward layer, applied to each pixel (arXiv 1706.03762; GELU: arXiv
    1606.08415). Maps `(N, C, H, W)` keep their shape. Raises `ArchitectureError` for an `expansion`
    below 1.
    """

    expansion: Size = 2

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "FeedForward", Open)


@dataclass(frozen=True, slots=True)
class Identity:
    """No operation; as the entry of a stage that changes shape, a 1x1 convolution with its norm."""


@dataclass(frozen=True, slots=True)
class Stem:
    """The first convolution, with batch norm and ReLU: image channels to `width`.

    Images `(N, C, H, W)` become maps `(N, width, ceil(H / stride), ceil(W / stride))`. `kernel`:
    pixels a side, odd. Raises `ArchitectureError` for numbers out of their range.
    """

    width: Size = 16
    kernel: Annotated[Size, ODD] = 3
    stride: Size = 1

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "Stem", Open)


@dataclass(frozen=True, slots=True)
class Stage:
    """A light, independent stage: entry (a convolution), pooling, norm (LRN), then its SubStages.

    `entry` maps the incoming width to `width` with `stride`; `pool` then halves the map, unless
    "none". Every SubStage output passes a norm of the same kind. `connections` says what each
    SubStage reads: the last output ("chain"), the last output with a shortcut around the SubStage
    ("residual"), the outputs 1, 2, 4, ... steps back ("sparse", arXiv 1801.05895), all earlier ones
    ("dense", arXiv 1608.06993), or one tuple per SubStage of the outputs it reads (0 is the
    entry's, i that of the i-th SubStage). Several inputs are concatenated and projected by a 1x1
    convolution.

    Maps `(N, C, H, W)` become `(N, width, H', W')`, where `H'` is `ceil(H / stride)`, halved and
    rounded down by a `pool`. `norm`: `docs/neptune.md` has the formulas and their sources.
    Raises `ArchitectureError` for parts that do not fit together, such as heads that do not divide
    the width.
    """

    width: Size = 32
    entry: Any = Conv()
    stride: Size = 1
    pool: Pool = "max"
    norm: Norm = "lrn"
    connections: Wiring | tuple[tuple[int, ...], ...] = "residual"
    substages: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "Stage", Open)
        _check_operation(self.entry, "entry")
        if isinstance(self.substages, tuple):
            for i, each in enumerate(self.substages):
                _check_operation(each, f"substages.{i}")
        if is_closed(self):
            check_stage(self)


def _check_operation(part: object, name: str) -> None:
    """Refuse anything but a record as the operation of an entry or a SubStage."""
    if not is_record(part):
        words = "a record such as Conv(kernel=3)"
        remedy = f"write {part.__name__}(...)" if isinstance(part, type) else ""
        raise ArchitectureError(fault(f"Stage.{name}", words, part, remedy))


def resolve_connections(stage: Stage) -> tuple[tuple[int, ...], ...]:
    """Return the outputs that each SubStage of `stage` reads, oldest first (0: the entry's output).

    >>> resolve_connections(Stage(substages=(Conv(), Conv(), Conv()), connections="sparse"))
    ((0,), (0, 1), (1, 2))
    """
    count = len(stage.substages)
    match stage.connections:
        case "chain" | "residual":
            return tuple((i,) for i in range(count))
        case "dense":
            return tuple(tuple(range(i + 1)) for i in range(count))
        case "sparse":
            steps = [2**k for k in range(count.bit_length())]
            return tuple(
                tuple(sorted(i + 1 - step for step in steps if step <= i + 1)) for i in range(count)
            )
        case explicit:
            return explicit


def check_stage(stage: Stage) -> None:
    """Refuse a closed stage whose parts do not fit together, naming the part."""
    for i, substage in enumerate(stage.substages):
        if isinstance(substage, Attention) and stage.width % substage.heads:
            raise ArchitectureError(
                f"`substages.{i}` ({substage!r}): heads must divide the width of its Stage, "
                f"but {substage.heads} does not divide {stage.width}."
            )
        if (
            isinstance(substage, Conv)
            and isinstance(substage.groups, int)
            and stage.width % substage.groups
        ):
            raise ArchitectureError(
                f"`substages.{i}` ({substage!r}): groups must divide the width of its Stage, "
                f"but {substage.groups} does not divide {stage.width}."
            )
    if isinstance(stage.entry, Attention | FeedForward):
        raise ArchitectureError(
            f"`Stage.entry` must be a Conv, an InvertedResidual or an Identity, which can change "
            f"the width, but got {stage.entry!r}: put it among `substages`."
        )
    if isinstance(stage.connections, tuple):
        _check_connections(stage)


def _check_connections(stage: Stage) -> None:
    """Refuse explicit connections unless each SubStage has a non-empty set of earlier outputs."""
    assert isinstance(stage.connections, tuple)
    if len(stage.connections) != len(stage.substages):
        raise ArchitectureError(
            f"`Stage.connections` needs one tuple a SubStage ({len(stage.substages)}), "
            f"but got {len(stage.connections)}."
        )
    for i, sources in enumerate(stage.connections):
        if (
            not sources
            or list(sources) != sorted({*sources})
            or not 0 <= sources[0] <= sources[-1] <= i
        ):
            raise ArchitectureError(
                f"`Stage.connections[{i}]` needs rising, distinct outputs in 0..{i}, "
                f"but got {sources!r}."
            )


@dataclass(frozen=True, slots=True)
class Head:
    """A classification head: a 1x1 convolution, global average pooling, a linear layer.

    The convolution, with batch norm and ReLU, maps to `width` channels (0: none). Dropout precedes
    the linear layer, which has a bias. Maps `(N, C, H, W)` become logits `(N, classes)`.
    `dropout`: the probability, 0 to below 1. Raises `ArchitectureError` for numbers out of their
    range.
    """

    task: ClassVar[str] = "classification"

    width: OptionalSize = 0
    dropout: Annotated[float, at_least(0), below(1)] = 0.0

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "Head", Open)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A Neptune network: a stem, one or more independent stages, a head.

    Images `(N, C, H, W)` become logits `(N, classes)`, or `(N, classes, H, W)` with a head for
    segmentation, or points `(N, P, 6 + classes)` with one for detection; `C` and `classes` are
    arguments of `build`, so an architecture serves any images that are large enough. Raises
    `ArchitectureError` without a stage, for an entry whose groups do not divide the widths before
    and after it, and for a head that reads more levels than there are.
    """

    stem: Stem = Stem()
    stages: tuple[Stage, ...] = (Stage(),)
    head: Any = Head()

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "Architecture", Open)
        if not isinstance(self.head, Open | Head | DenseHead):
            words = "a Head, an LrasppHead, a DecoderHead or a DetectionHead"
            raise ArchitectureError(fault("Architecture.head", words, self.head))
        if not isinstance(self.stages, Open) and len(self.stages) == 0:
            raise ArchitectureError(
                "`Architecture.stages` needs at least one Stage, but got none: add one."
            )
        if is_closed(self):
            _check_entries(self)
            _check_levels(self)


def level_places(architecture: Architecture) -> tuple[int, ...]:
    """Return the places of the levels' maps, the smallest first; 0 is the stem's, i stage i's.

    See `neptune_nas.architecture.dense_heads` for what a level is.
    """
    changes = [stage.stride > 1 or stage.pool != "none" for stage in architecture.stages]
    last = len(changes)
    return (last, *(i for i in reversed(range(last)) if changes[i]))


def _check_levels(architecture: Architecture) -> None:
    """Refuse a closed architecture whose head reads more levels than its stages have."""
    head, levels = architecture.head, len(level_places(architecture))
    if not isinstance(head, Head) and head.levels > levels:
        raise ArchitectureError(
            f"`head` ({head!r}) reads maps of {head.levels} resolutions, but there are {levels}, "
            f"one more than stages with a stride or a pool: add such stages, or take another head."
        )


def _check_entries(architecture: Architecture) -> None:
    """Refuse a closed architecture with an entry whose groups do not divide its widths."""
    width = architecture.stem.width
    for i, stage in enumerate(architecture.stages):
        groups = stage.entry.groups if isinstance(stage.entry, Conv) else 1
        if groups != "depthwise" and (width % groups or stage.width % groups):
            raise ArchitectureError(
                f"`stages.{i}.entry` ({stage.entry!r}): groups must divide the widths before and "
                f"after it, but {groups} does not divide {width} and {stage.width}."
            )
        width = stage.width

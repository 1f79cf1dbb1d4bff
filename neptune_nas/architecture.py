"""Architectures as frozen records: every decision taken, nothing built.

The same records serve as the template of a space, where some fields are left open
(`neptune_nas.space.choice` and its kin), as one sampled architecture, and as the input of
`neptune_nas.build`.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from neptune_nas.errors import ArchitectureError
from neptune_nas.record import Open, is_closed, require_at_least, require_member, require_odd

Norm = Literal["batch", "layer", "group", "instance", "rms", "local_response", "lrn", "mln", "none"]
Pool = Literal["max", "avg", "conv", "none"]
Wiring = Literal["chain", "residual", "sparse", "dense"]

NORMS: tuple[Norm, ...] = get_args(Norm)
POOLS: tuple[Pool, ...] = get_args(Pool)
WIRINGS: tuple[Wiring, ...] = get_args(Wiring)


@runtime_checkable
class SubStage(Protocol):
    """A user's own SubStage: a frozen dataclass that builds a shape-preserving module."""

    def build(self, width: int) -> Any:
        """A module that maps `(N, width, H, W)` to `(N, width, H, W)`."""


@dataclass(frozen=True, slots=True)
class Conv:
    """ReLU, then a square convolution in `groups` groups ("depthwise": one a channel).

    As an entry that changes the width, "depthwise" makes as many groups as both widths allow.
    """

    kernel: int = 3
    groups: int | Literal["depthwise"] = 1

    def __post_init__(self) -> None:
        require_odd(self, "kernel")
        if self.groups != "depthwise":
            require_at_least(self, "groups", 1)


@dataclass(frozen=True, slots=True)
class InvertedResidual:
    """MobileNetV2's block: expand by 1x1, depthwise `kernel`, project by 1x1 (arXiv 1801.04381).

    With `expansion` 1 the first of the three is left out, as in the paper.
    """

    kernel: int = 3
    expansion: int = 4

    def __post_init__(self) -> None:
        require_odd(self, "kernel")
        require_at_least(self, "expansion", 1)


@dataclass(frozen=True, slots=True)
class Attention:
    """Multi-head self-attention over the pixels of the map (arXiv 1706.03762).

    `window`: attend inside squares of that many pixels a side; 0 attends everywhere.
    `stride`: keys and values are average-pooled by that factor first (arXiv 2102.12122).
    """

    heads: int = 4
    window: int = 0
    stride: int = 1

    def __post_init__(self) -> None:
        require_at_least(self, "heads", 1)
        require_at_least(self, "window", 0)
        require_at_least(self, "stride", 1)


@dataclass(frozen=True, slots=True)
class FeedForward:
    """Two 1x1 convolutions with a GELU between them, `expansion` times as wide inside."""

    expansion: int = 2

    def __post_init__(self) -> None:
        require_at_least(self, "expansion", 1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Nothing; as the entry of a stage that changes shape, a 1x1 convolution with its norm."""


@dataclass(frozen=True, slots=True)
class Stem:
    """The first convolution, with batch norm and ReLU: image channels to `width`."""

    width: int = 16
    kernel: int = 3
    stride: int = 1

    def __post_init__(self) -> None:
        require_at_least(self, "width", 1)
        require_odd(self, "kernel")
        require_at_least(self, "stride", 1)


@dataclass(frozen=True, slots=True)
class Stage:
    """A light, independent stage: entry (a convolution), pooling, norm (LRN), then its SubStages.

    `entry` maps the incoming width to `width` with `stride`; `pool` then halves the map, unless
    "none". Every SubStage output passes a norm of the same kind. `connections` says what each
    SubStage reads: the last output ("chain"), the same with a shortcut around it ("residual"),
    the outputs 1, 2, 4, ... steps back ("sparse", arXiv 1801.05895), all earlier ones ("dense",
    arXiv 1608.06993), or a tuple a SubStage of the outputs it reads (0 is the entry's, i that of
    the i-th SubStage). Several inputs are concatenated and projected by a 1x1 convolution.
    """

    width: int = 32
    entry: Any = Conv()
    stride: int = 1
    pool: Pool = "max"
    norm: Norm = "lrn"
    connections: Wiring | tuple[tuple[int, ...], ...] = "residual"
    substages: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        require_at_least(self, "width", 1)
        require_at_least(self, "stride", 1)
        require_member(self, "pool", POOLS)
        require_member(self, "norm", NORMS)
        if isinstance(self.connections, str):
            require_member(self, "connections", WIRINGS)
        if is_closed(self):
            check_stage(self)


def resolve_connections(stage: Stage) -> tuple[tuple[int, ...], ...]:
    """For each SubStage of `stage` the outputs it reads, oldest first (0: the entry's output).

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
        check_connections(stage)


def check_connections(stage: Stage) -> None:
    """Refuse explicit connections that are not one non-empty set of earlier outputs a SubStage."""
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
    """Classification: a 1x1 convolution to `width` with batch norm and ReLU (0: none), global
    average pooling, dropout, and a linear layer with bias.
    """

    width: int = 0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require_at_least(self, "width", 0)
        if not isinstance(self.dropout, Open) and not 0 <= self.dropout < 1:
            raise ArchitectureError(f"`Head.dropout` must be in [0, 1), but got {self.dropout!r}.")


@dataclass(frozen=True, slots=True)
class Architecture:
    """A Neptune network: a stem, one or more independent stages, a head."""

    stem: Stem = Stem()
    stages: tuple[Stage, ...] = (Stage(),)
    head: Head = Head()

    def __post_init__(self) -> None:
        if not isinstance(self.stages, Open) and len(self.stages) == 0:
            raise ArchitectureError(
                "`Architecture.stages` needs at least one Stage, but got none: add one."
            )
        if is_closed(self):
            check_entries(self)


def check_entries(architecture: Architecture) -> None:
    """Refuse a closed architecture with an entry whose groups do not divide what it reads."""
    width = architecture.stem.width
    for i, stage in enumerate(architecture.stages):
        groups = stage.entry.groups if isinstance(stage.entry, Conv) else 1
        if groups != "depthwise" and (width % groups or stage.width % groups):
            raise ArchitectureError(
                f"`stages.{i}.entry` ({stage.entry!r}): groups must divide the widths before and "
                f"after it, but {groups} does not divide {width} and {stage.width}."
            )
        width = stage.width

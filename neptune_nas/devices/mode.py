"""In which precision and memory layout to train: a mode for each kind of network."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from neptune_nas.files.options import require_member

Precision = Literal["auto", "fp32", "bf16"]
Layout = Literal["channels_last", "contiguous"]
Kind = Literal["attention", "depthwise", "dense"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Mode:
    """A precision, and how maps and weights lie in memory.

    "auto" is bfloat16 wherever the device multiplies it natively: the rule of studies and trainings
    that were begun before modes were measured.
    Raises `OptionError` for an unknown precision or layout.
    """

    precision: Precision = "auto"
    layout: Layout = "channels_last"

    def __post_init__(self) -> None:
        require_member("Mode.precision", self.precision, get_args(Precision))
        require_member("Mode.layout", self.layout, get_args(Layout))

    def __str__(self) -> str:
        return f"{self.precision} {self.layout}"


@dataclass(frozen=True, slots=True)
class Modes:
    """The mode of each kind of network; see `neptune_nas.training.kinds` for the kinds."""

    attention: Mode = Mode()
    depthwise: Mode = Mode()
    dense: Mode = Mode()

    def of(self, kind: Kind) -> Mode:
        """The mode of a kind."""
        mode: Mode = getattr(self, kind)
        return mode

    def __str__(self) -> str:
        return ", ".join(f"{kind} {self.of(kind)}" for kind in KINDS)


def modes_from(content: Any) -> Modes:
    """The modes that `asdict` made; raises `LookupError`, `TypeError` or `OptionError` else."""
    found = (content[kind] for kind in KINDS)
    return Modes(*(Mode(each["precision"], each["layout"]) for each in found))


def same_for_all(mode: Mode) -> Modes:
    """One mode for every kind."""
    return Modes(mode, mode, mode)

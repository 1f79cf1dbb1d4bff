"""The precision and the memory layout that networks are trained in."""

from dataclasses import dataclass
from typing import Literal, get_args

from neptune_nas.files.options import require_member

Precision = Literal["auto", "fp32", "bf16"]
Layout = Literal["channels_last", "contiguous"]


@dataclass(frozen=True, slots=True)
class Numerics:
    """A precision, and how feature maps and weights lie in memory.

    Parameters are float32 in any precision. "auto" is bfloat16 wherever the device multiplies it
    natively, else float32.
    Raises `OptionError` for an unknown precision or layout.
    """

    precision: Precision = "auto"
    layout: Layout = "channels_last"

    def __post_init__(self) -> None:
        require_member("Numerics.precision", self.precision, get_args(Precision))
        require_member("Numerics.layout", self.layout, get_args(Layout))

    def __str__(self) -> str:
        return f"{self.precision}, {self.layout.replace('_', ' ')}"

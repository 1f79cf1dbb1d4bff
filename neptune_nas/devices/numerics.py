"""The precision and the memory layout that networks are trained in."""

from dataclasses import dataclass
from typing import Literal

from neptune_nas.files.schema import check

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
        check(self)

    def __str__(self) -> str:
        return f"{self.precision}, {self.layout.replace('_', ' ')}"

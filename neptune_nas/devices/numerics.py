"""The precision and memory layout of training."""

from dataclasses import dataclass
from typing import Literal

from neptune_nas.files.schema import check

Precision = Literal["auto", "fp32", "bf16"]
Layout = Literal["channels_last", "contiguous"]


@dataclass(frozen=True, slots=True)
class Numerics:
    """A precision, and the memory layout of feature maps and weights.

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

"""A graph in int8: the scale of each map and the integers of the weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from neptune_nas.graphs.graph import Graph

LEAST, MOST = -128, 127  # of int8


@dataclass(frozen=True, slots=True)
class Scale:
    """The meaning of the integers of a map: `(integer - zero_point) * step`.

    `step`: rounded to float32, as a file holds it.
    """

    step: float
    zero_point: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", float(np.float32(self.step)))

    @property
    def least(self) -> float:
        """The least value that an int8 can mean."""
        return (LEAST - self.zero_point) * self.step

    @property
    def most(self) -> float:
        """The largest value that an int8 can mean."""
        return (MOST - self.zero_point) * self.step


PIXELS = Scale(1 / 255, LEAST)
"""Of images in 0..1, as bytes with 128 subtracted."""


@dataclass(frozen=True, slots=True)
class IntegerWeights:
    """Weights in integers, with the shapes of `Weights`; `steps`: by output channel."""

    weight: Tensor
    bias: Tensor
    steps: Tensor


@dataclass(frozen=True, slots=True)
class QuantisedGraph:
    """A fused graph with the scale of each value and the integers of each operation's weights.

    `weights`: by the number of the operation's output.
    """

    graph: Graph
    scales: Mapping[int, Scale]
    weights: Mapping[int, IntegerWeights]

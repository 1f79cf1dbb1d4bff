"""A network as the list of operations that a runtime on a device executes.

Maps lie as such runtimes keep them: `(H, W, C)` of one image. A graph is made from a traced network
(`lowering`), or joined from the graphs of its parts before anything is trained (`joining`); it is
then fused (`fusion`), planned (`memory_plan`), quantised, simulated and written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal

from torch import Tensor

Kind = Literal[
    "conv",
    "depthwise",
    "linear",
    "affine",
    "add",
    "mul",
    "max_pool",
    "average_pool",
    "relu",
    "relu6",
    "sigmoid",
    "hard_swish",
    "concat",
    "resize",
]
Activation = Literal["none", "relu", "relu6"]
MapShape = tuple[int, ...]
"""Height, width and channels of a map, or the length of a vector."""

WITH_WEIGHTS: frozenset[Kind] = frozenset({"conv", "depthwise", "linear", "affine"})
CONSTANTS: Mapping[Kind, int] = {**dict.fromkeys(WITH_WEIGHTS, 2), "resize": 1}
"""The constant tensors that an operation reads in a file: weights and bias, or a size; else 0."""
SAME_SCALE: frozenset[Kind] = frozenset(
    {"max_pool", "average_pool", "concat", "relu6", "resize"}  # tflite-micro's relu6 only clamps
)
"""Kinds whose output shares the quantisation of their inputs."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The learned numbers of an operation, as torch orders them; both None before training.

    `weight`: `(out, in, kh, kw)` of a convolution, `(C, 1, kh, kw)` of a depthwise one,
    `(out, in)` of a linear layer, `(C,)` of an affine one. `bias`: `(out,)`.
    """

    weight: Tensor | None = None
    bias: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One step: reads the values `inputs`, by number, and writes the value `output`.

    A resizing is bilinear, to the size of its output, and pixels are squares, not points.

    `kernel` and `stride`: of a convolution or pooling, `(height, width)`. `padding`: pixels before
    the first row and column; those after the last follow from the output's size. `activation`:
    fused behind it. `constant`: the numbers of an operation with weights.
    """

    kind: Kind
    inputs: tuple[int, ...]
    output: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    activation: Activation = "none"
    constant: Weights = field(default=Weights(), compare=False)

    def moved(self, inputs: tuple[int, ...], output: int) -> "Operation":
        """Return the operation with other values, several times as fast as by `replace`."""
        return Operation(
            self.kind,
            inputs,
            output,
            self.kernel,
            self.stride,
            self.padding,
            self.activation,
            self.constant,
        )


@dataclass(frozen=True, slots=True)
class Graph:
    """Operations in the order in which they run; `shapes`: of every value by its number."""

    shapes: Mapping[int, MapShape]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    output: int

    def users(self) -> dict[int, int]:
        """Return how often each value is read; the output once more."""
        counts = dict.fromkeys(self.shapes, 0)
        for number in (*self._read(), self.output):
            counts[number] += 1
        return counts

    def without_weights(self) -> "Graph":
        """Return the graph as it is before training."""
        operations = (replace(each, constant=Weights()) for each in self.operations)
        return replace(self, operations=tuple(operations))

    def size(self, number: int) -> int:
        """Return how many numbers a value holds."""
        return prod(self.shapes[number])

    def _read(self) -> Iterable[int]:
        return (number for operation in self.operations for number in operation.inputs)

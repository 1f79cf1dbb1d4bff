"""Post-training static quantisation to int8: per tensor for maps, per channel for weights.

The scheme is TensorFlow Lite's (https://ai.google.dev/edge/litert/models/quantization_spec): maps
have a scale and a zero point, weights a scale for each output channel, biases are int32.
"""

from collections.abc import Iterable, Mapping
from math import isfinite

import torch
from torch import Tensor

from neptune_nas.deploy.execution import map_values
from neptune_nas.deploy.quantised_graph import (
    LEAST,
    MOST,
    PIXELS,
    IntegerWeights,
    QuantisedGraph,
    Scale,
)
from neptune_nas.errors import DataError, NeptuneError
from neptune_nas.graphs.graph import SAME_SCALE, WITH_WEIGHTS, Graph, Operation, Weights
from neptune_nas.graphs.lowering import UnsupportedOperationError

_BIAS_LIMIT = 2.0**30  # half of int32: room for the sum that a bias is added to
_NARROW = 1e-6  # the least width of a range: its step stays in proportion to those around
_SIGMOID = Scale(1 / 256, LEAST)  # as the runtimes demand

Range = tuple[float, float]


class UnquantisableError(NeptuneError):
    """A trained network whose weights or maps are not finite, so that int8 cannot hold them."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the network cannot be quantised: its {what} have NaN or infinity; train it again "
            f"with a lower `lr` of the recipe."
        )


def quantise(graph: Graph, batches: Iterable[Tensor], inputs: Scale = PIXELS) -> QuantisedGraph:
    """Return a fused graph in int8, calibrated on batches of images `(N, C, H, W)`.

    The range of each map is the least and largest value over all images. `inputs`: of the images.
    Raises `DataError` without an image, `UnsupportedOperationError` where maps must share a scale
    that cannot hold them, and `UnquantisableError` for numbers that are not finite.
    """
    fixed = dict.fromkeys(graph.inputs, inputs)
    fixed |= {each.output: _SIGMOID for each in graph.operations if each.kind == "sigmoid"}
    return with_scales(graph, _tied_scales(graph, _ranges(graph, batches), fixed))


def with_scales(graph: Graph, scales: Mapping[int, Scale]) -> QuantisedGraph:
    """Return a fused graph in int8 whose maps have these scales, by value."""
    weights = {
        each.output: _integers(each, scales[each.inputs[0]])
        for each in graph.operations
        if each.kind in WITH_WEIGHTS
    }
    return QuantisedGraph(graph, scales, weights)


@torch.no_grad()
def _ranges(graph: Graph, batches: Iterable[Tensor]) -> dict[int, Range]:
    """Return the range of each value over all images, widened to hold zero."""
    found: dict[int, Range] = {}
    for images in batches:
        for value, map_ in map_values(graph, images) if len(images) else ():
            low, high = (number.item() for number in map_.aminmax())
            if not (isfinite(low) and isfinite(high)):
                raise UnquantisableError("maps")
            least, most = found.get(value, (0.0, 0.0))
            found[value] = min(least, low), max(most, high)
    if not found:
        raise DataError("int8 needs at least one image to calibrate on, but got none: add some.")
    return found


def _tied_scales(
    graph: Graph, ranges: Mapping[int, Range], fixed: Mapping[int, Scale]
) -> dict[int, Scale]:
    """Return the scale of each value; those that must share one get the union of their ranges.

    `fixed`: scales that a runtime demands, whatever the range.
    """
    group = {value: value for value in ranges}

    def root(value: int) -> int:
        while group[value] != value:
            value = group[value]
        return value

    for operation in graph.operations:
        if operation.kind in SAME_SCALE:
            for value in operation.inputs:
                group[root(operation.output)] = root(value)
    joint: dict[int, Range] = {}
    for value, (low, high) in ranges.items():
        if value not in fixed:
            least, most = joint.get(root(value), (0.0, 0.0))
            joint[root(value)] = min(least, low), max(most, high)
    demanded = {root(value): scale for value, scale in fixed.items()}
    for value, scale in fixed.items():
        least, most = joint.get(root(value), (0.0, 0.0))
        if demanded[root(value)] != scale or least < scale.least or most > scale.most + scale.step:
            raise UnsupportedOperationError(
                "a sigmoid, or the image, in a concatenation with other maps has no int8 kernel: "
                "they would need one scale"
            )
    return {value: demanded.get(root(value)) or _scale(*joint[root(value)]) for value in ranges}


def _scale(least: float, most: float) -> Scale:
    """Return the scale whose integers cover a range that holds zero."""
    step = max(most - least, _NARROW) / (MOST - LEAST)
    return Scale(step, max(LEAST, min(MOST, round(LEAST - least / step))))


def _integers(operation: Operation, source: Scale) -> IntegerWeights:
    """Return the weights of an operation in integers, for an input of that scale."""
    weight, bias = _tensors(operation.constant)
    steps = weight_steps(operation, weight, bias, source)
    integers = (weight.double() / steps.view(-1, *(1,) * (weight.ndim - 1))).round()
    return IntegerWeights(
        integers.clamp(-MOST, MOST).to(torch.int8),
        (bias / (steps * source.step)).round().to(torch.int32),
        steps,
    )


def weight_steps(operation: Operation, weight: Tensor, bias: Tensor, source: Scale) -> Tensor:
    """Return the steps `(out,)` of an operation's weights as float64, each a float32 number.

    A channel whose bias is large takes a larger step, so that its bias fits in int32.
    """
    largest = weight.abs().flatten(1).amax(1).double()
    least = bias.abs().double() / source.step / _BIAS_LIMIT
    if operation.kind == "linear":  # one step for all: so its kernels take it
        largest, least = largest.max(), least.max()
    steps = torch.maximum(largest / MOST, least).clamp(min=1e-12)
    return steps.float().double().expand(len(weight))


def _tensors(weights: Weights) -> tuple[Tensor, Tensor]:
    """Return the weight and the bias, as float64; checked to be finite."""
    assert weights.weight is not None
    zeros = weights.weight.new_zeros(len(weights.weight))
    bias = zeros if weights.bias is None else weights.bias
    if not (weights.weight.isfinite().all() and bias.isfinite().all()):
        raise UnquantisableError("weights")
    return weights.weight.detach(), bias.detach().double()

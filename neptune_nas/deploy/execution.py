"""The numbers that a graph computes: in floating point, and in int8 as runtimes do it.

Maps are `(N, C, H, W)`. The integers of the simulation are those of TensorFlow Lite's reference
kernels, which TensorFlow Lite Micro runs, but for sigmoid and hard-swish: those may be a step off.
LiteRT's fast kernels (XNNPACK) round once where those round twice; in a resizing they find the
places between pixels exactly, where those drift.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from math import prod

import torch
from torch import Tensor
from torch.nn import functional as F

from neptune_nas.deploy.quantised_graph import QuantisedGraph, Scale
from neptune_nas.graphs.graph import Graph, MapShape, Operation

_LIMITS = {"none": (-torch.inf, torch.inf), "relu": (0.0, torch.inf), "relu6": (0.0, 6.0)}

_PRODUCTS = frozenset({"mul", "relu"})  # of integers and one factor
_MORE_BITS = 20
_ONE = 1024  # the unit of a place between pixels in the reference kernels
_FAST_ONE = 2048  # and in XNNPACK

Compute = Callable[[Operation, list[Tensor]], Tensor]
_Scaled = Callable[[Tensor, Tensor], Tensor]
"""From integers and factors to their products, rounded to integers."""


def map_values(
    graph: Graph, images: Tensor, computed: Compute | None = None
) -> Iterator[tuple[int, Tensor]]:
    """Yield the number and the map of each value, for images `(N, C, H, W)`.

    `computed`: returns the map that an operation writes, from those it reads (default: in floating
    point, with its own weights).
    """
    maps = {graph.inputs[0]: images}
    yield graph.inputs[0], images
    readers = graph.users()
    for operation in graph.operations:
        sources = [maps[number] for number in operation.inputs]
        maps[operation.output] = out = (computed or partial(_float_step, graph))(operation, sources)
        yield operation.output, out
        for number in operation.inputs:
            readers[number] -= 1
            if not readers[number]:
                maps.pop(number, None)


def _float_step(graph: Graph, operation: Operation, sources: list[Tensor]) -> Tensor:
    """Return the map that an operation writes in floating point."""
    weight, bias = operation.constant.weight, operation.constant.bias
    return activated(operation, compute(operation, graph, sources, weight, bias))


def activated(operation: Operation, map_: Tensor) -> Tensor:
    """Return a map behind the activation that is fused into an operation."""
    return map_ if operation.activation == "none" else map_.clamp(*_LIMITS[operation.activation])


@torch.no_grad()
def run_float(graph: Graph, images: Tensor) -> Tensor:
    """Return the output of a graph with weights, `(N, classes)` or `(N, classes, H, W)`."""
    return output_of(graph, map_values(graph, images))


@torch.no_grad()
def run_int8(quantised: QuantisedGraph, images: Tensor, *, rounds_once: bool = False) -> Tensor:
    """Return the output that a runtime computes in int8, as real numbers.

    `images`: in 0..1, or in whatever range the graph's input was quantised for. `rounds_once`: as
    XNNPACK rounds, instead of the reference kernels.
    """
    graph, scales = quantised.graph, quantised.scales
    integers = _quantised(images, scales[graph.inputs[0]])
    step = partial(_integer_step, quantised, _scaled_once if rounds_once else _scaled_twice)
    return _real(output_of(graph, map_values(graph, integers, step)), scales[graph.output])


def output_of(graph: Graph, values: Iterable[tuple[int, Tensor]]) -> Tensor:
    """Return the last of a graph's values, `(N, classes)` or `(N, classes, H, W)`."""
    found = next(map_ for number, map_ in values if number == graph.output)
    return found.flatten(1) if found[0, 0].numel() == 1 else found


def _integer_step(
    quantised: QuantisedGraph, scaled: _Scaled, operation: Operation, sources: list[Tensor]
) -> Tensor:
    """Return the integers, as floats, that one operation writes from those it reads."""
    graph, target = quantised.graph, quantised.scales[operation.output]
    scales = [quantised.scales[number] for number in operation.inputs]
    if operation.output in quantised.weights:
        integers = quantised.weights[operation.output]
        weight, bias = integers.weight.float(), integers.bias.float()
        sums = compute(operation, graph, [sources[0] - scales[0].zero_point], weight, bias)
        steps = integers.steps * scales[0].step / target.step
        rounded = scaled(sums, steps.view(1, -1, *(1,) * (sums.ndim - 2)))
    elif operation.kind in ("max_pool", "concat"):
        return compute(operation, graph, sources)
    elif operation.kind == "resize":
        resized = _resized_once if scaled is _scaled_once else _resized_in_steps
        return resized(sources[0], graph.shapes[operation.output][:2])
    elif operation.kind == "average_pool":
        return _rounded_mean(operation, compute(operation, graph, sources))
    elif operation.kind in _PRODUCTS:
        whole = [x - scale.zero_point for x, scale in zip(sources, scales, strict=True)]
        factor = prod(scale.step for scale in scales) / target.step
        rounded = scaled(compute(operation, graph, whole), torch.tensor(factor))
    elif operation.kind == "add":
        rounded = _sum(sources, scales, target, scaled)
    else:
        real = [_real(*each) for each in zip(sources, scales, strict=True)]
        rounded = compute(operation, graph, real).div(target.step).round_()
    return rounded.add_(target.zero_point).clamp_(*_integer_limits(operation, target))


def _sum(sources: list[Tensor], scales: list[Scale], target: Scale, scaled: _Scaled) -> Tensor:
    """Return the sum of two maps of integers, computed as the kernels do it, in 20 more bits."""
    widest = 2 * max(scale.step for scale in scales)
    total = torch.zeros(())
    for x, scale in zip(sources, scales, strict=True):
        factor = torch.tensor(scale.step / widest, dtype=torch.float64)
        total = total + scaled((x - scale.zero_point) * 2.0**_MORE_BITS, factor).double()
    factor = torch.tensor(widest / (2.0**_MORE_BITS * target.step), dtype=torch.float64)
    return scaled(total, factor)


def _scaled_once(integers: Tensor, factors: Tensor) -> Tensor:
    """Return integers times factors, rounded to the nearest, halves to the even one."""
    return integers.double().mul_(factors.double()).round_().float()


def _scaled_twice(integers: Tensor, factors: Tensor) -> Tensor:
    """Return integers times factors, rounded as TensorFlow Lite's reference kernels round.

    A factor is an integer of 31 bits and a power of 2 there. Halves are rounded up when the former
    is applied, and away from zero when the latter is.
    """
    fractions, exponents = torch.frexp(factors.double())
    whole = fractions.mul(2.0**31).round().mul(2.0**-31)
    left, right = exponents.clamp(min=0).double().exp2(), exponents.clamp(max=0).double().exp2()
    high = integers.double().mul_(left * whole).add_(0.5).floor_().mul_(right)
    return high.add_(high.sign(), alpha=0.5).trunc_().float()


def _rounded_mean(operation: Operation, mean: Tensor) -> Tensor:
    """Return means of integers, rounded with halves away from zero."""
    pixels = prod(operation.kernel)
    sums = mean.mul(pixels).round_()
    return sums.sign() * sums.abs().add(pixels // 2).div(pixels, rounding_mode="floor")


def _resized_in_steps(x: Tensor, shape: MapShape) -> Tensor:
    """Return a map of integers resized to `shape`, as the reference kernels do it."""
    found = _interpolated(x, shape, _steps_between)
    whole = found.abs().mul(1 / _ONE**2).add(0.5).floor()
    return whole.mul(found.sign()).float()


def _resized_once(x: Tensor, shape: MapShape) -> Tensor:
    """Return a map of integers resized to `shape`, as XNNPACK does it."""
    found = _interpolated(x, shape, _places_between)
    return found.mul(1 / _FAST_ONE**2).add(0.5).floor().float()


def _interpolated(x: Tensor, shape: MapShape, weights: Callable[[int, int], Tensor]) -> Tensor:
    """Return the sums of a map's pixels, weighted along both axes, exactly."""
    rows, columns = (
        weights(source, target) for source, target in zip(x.shape[2:], shape, strict=False)
    )
    return rows @ x.double() @ columns.T


@cache
def _steps_between(source: int, target: int) -> Tensor:
    """Return the weights `(target, source)` of pixels in a resizing along one axis, in 1/1024.

    The step from one pixel to the next is rounded to 1/1024. So places drift along the axis, unless
    the step is exact, as it is for a map that becomes 8 times as large.
    """
    scale = (_ONE * source + target // 2) // target
    weights = torch.zeros(target, source, dtype=torch.float64)
    for pixel in range(target):
        place = pixel * scale + scale // 2 - _ONE // 2
        first = min(max(place // _ONE, 0), source - 1)  # over 1,000 pixels, places may drift out
        second = min(-(-place // _ONE), source - 1)
        weights[pixel, first] += _ONE - (place - _ONE * first)
        weights[pixel, max(second, 0)] += place - _ONE * first
    return weights


@cache
def _places_between(source: int, target: int) -> Tensor:
    """Return the weights `(target, source)` as `_steps_between` does, in 1/2048.

    Each place is computed in float32 and rounded by itself, so none drifts.
    """
    scale = torch.tensor(source, dtype=torch.float32) / target
    places = (torch.arange(target) * scale + (0.5 * scale - 0.5)).clamp(0, source - 1)
    first = places.long()
    shares = places.sub(first).mul(_FAST_ONE).round().double()
    weights = torch.zeros(target, source, dtype=torch.float64)
    pixels = torch.arange(target)
    weights[pixels, first] = _FAST_ONE - shares
    weights[pixels, first.add(1).clamp(max=source - 1)] += shares
    return weights


def _integer_limits(operation: Operation, target: Scale) -> tuple[int, int]:
    """Return the least and largest integer that an operation may write."""
    low, high = _LIMITS[operation.activation]
    least = -128 if low == -torch.inf else round(low / target.step) + target.zero_point
    most = 127 if high == torch.inf else round(high / target.step) + target.zero_point
    return max(-128, least), min(127, most)


def compute(
    operation: Operation,
    graph: Graph,
    sources: list[Tensor],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Return what an operation computes, without its activation."""
    x = sources[0]
    if operation.kind in ("conv", "depthwise"):
        assert weight is not None
        groups = x.shape[1] if operation.kind == "depthwise" else 1
        x, stride = _padded(operation, graph, x), operation.stride
        if operation.kernel == (1, 1):  # see `nn.convolutions.SampledConv`: torch's may crash
            x, stride = x[..., :: stride[0], :: stride[1]], (1, 1)
        return F.conv2d(x, weight, bias, stride, groups=groups)
    if operation.kind == "linear":
        assert weight is not None
        return F.linear(x.flatten(1), weight, bias)
    if operation.kind == "affine":
        assert weight is not None
        shape = (1, -1, *(1,) * (x.ndim - 2))
        return x * weight.view(shape) + (0 if bias is None else bias.view(shape))
    if operation.kind == "max_pool":
        return F.max_pool2d(x, operation.kernel, operation.stride)
    if operation.kind == "average_pool":
        return F.avg_pool2d(x, operation.kernel, operation.stride)
    if operation.kind == "concat":
        return torch.cat(sources, 1)
    if operation.kind == "resize":
        size = graph.shapes[operation.output][:2]
        return F.interpolate(x, size, mode="bilinear", align_corners=False)
    return _ELEMENTWISE[operation.kind](*sources)


_ELEMENTWISE: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "mul": torch.mul,
    "relu": F.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "hard_swish": F.hardswish,
}


def _padded(operation: Operation, graph: Graph, x: Tensor) -> Tensor:
    """Return a map with zeros around it, as many before as asked and what is missing behind."""
    target = graph.shapes[operation.output][:2]
    pads: list[int] = []
    for side, out, kernel, stride, before in zip(
        x.shape[2:], target, operation.kernel, operation.stride, operation.padding, strict=True
    ):
        behind = max(0, (out - 1) * stride + kernel - side - before)
        pads = [before, behind, *pads]
    return F.pad(x, pads) if any(pads) else x


def _quantised(x: Tensor, scale: Scale) -> Tensor:
    return ((x / scale.step).round() + scale.zero_point).clamp(-128, 127)


def _real(x: Tensor, scale: Scale) -> Tensor:
    return (x - scale.zero_point) * scale.step

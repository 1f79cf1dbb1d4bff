"""The fusion of a graph into the operations that are written to a file.

Norms after a convolution are folded into its weights, activations become part of the operation
before them, and a padding that the file format cannot express becomes rows and columns of zeros in
a kernel. None of this depends on the values of weights, so costs can be counted before training.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from neptune_nas.graphs.graph import WITH_WEIGHTS, Graph, Kind, MapShape, Operation, Weights
from neptune_nas.graphs.lowering import UnsupportedOperationError

_FUSES: frozenset[Kind] = frozenset({"conv", "depthwise", "linear", "add", "affine"})


def fuse(graph: Graph) -> Graph:
    """Return a graph that computes the same with fewer operations, all of which can be written."""
    return finish(pad(merge(graph)))


def merge(graph: Graph, is_part: bool = False) -> Graph:
    """Return a graph in which an operation also does, where it can, what its only reader did.

    Merging the parts of a network first, and then the whole, gives the same as merging all at
    once. So in a part no activation joins a scale and shift, which may still move to the part
    before.
    """
    fuses = _FUSES - {"affine"} if is_part else _FUSES
    graph, users = _scaled_before_pooling(graph), graph.users()
    writer: dict[int, int] = {}  # the place in `done` of the operation that writes a value
    done: list[Operation | None] = []
    for operation in graph.operations:
        source = operation.inputs[0]
        at = writer.get(source) if users[source] == 1 else None
        before = done[at] if at is not None else None
        merged = _merge(before, operation, fuses) if before else None
        if merged and at is not None:
            done[at] = None  # the later place: whatever else it reads is there
        writer[operation.output] = len(done)
        done.append(merged or operation)
    operations = [each for each in done if each is not None]
    numbers = {*graph.inputs, graph.output, *(each.output for each in operations)}
    shapes = {number: shape for number, shape in graph.shapes.items() if number in numbers}
    return Graph(shapes, tuple(operations), graph.inputs, graph.output)


def pad(graph: Graph) -> Graph:
    """Return a graph whose convolutions have paddings that the file format can express."""
    operations = (
        _with_writable_padding(each, graph.shapes) if each.kind in ("conv", "depthwise") else each
        for each in graph.operations
    )
    return replace(graph, operations=tuple(operations))


def finish(graph: Graph) -> Graph:
    """Return a merged graph whose operations all exist in the file format."""
    if all(each.kind != "affine" for each in graph.operations):
        return graph
    operations = tuple(
        _depthwise(each, graph.shapes) if each.kind == "affine" else each
        for each in graph.operations
    )
    return replace(graph, operations=operations)


def _scaled_before_pooling(graph: Graph) -> Graph:
    """Return a graph in which a scale and shift comes before the average pooling that it follows.

    The convolution before the pooling can then absorb it. A mean over pixels commutes with it.
    """
    users, shapes = graph.users(), dict(graph.shapes)
    operations = list(graph.operations)
    writer = {each.output: index for index, each in enumerate(operations)}
    for index, after in enumerate(operations):
        at = writer.get(after.inputs[0], -1)
        if after.kind != "affine" or at < 0 or operations[at].kind != "average_pool":
            continue
        pool = operations[at]
        source = writer.get(pool.inputs[0], -1)
        is_taken_in = source >= 0 and _takes_scale(operations[source])
        if is_taken_in and users[pool.output] == users[pool.inputs[0]] == 1:
            operations[at] = replace(after, inputs=pool.inputs, output=pool.output)
            operations[index] = replace(pool, inputs=(pool.output,), output=after.output)
            shapes[pool.output] = shapes[pool.inputs[0]]
    return replace(graph, shapes=shapes, operations=tuple(operations))


def _merge(before: Operation, after: Operation, fuses: frozenset[Kind]) -> Operation | None:
    """Return one operation for two, the second of which alone reads the first, or None."""
    if after.kind in ("relu", "relu6") and before.kind in fuses:
        is_clipped = "relu6" in (before.activation, after.kind)
        return replace(before, output=after.output, activation="relu6" if is_clipped else "relu")
    if after.kind == "affine" and _takes_scale(before):
        folded = _folded(before.constant, after.constant)
        return replace(before, output=after.output, constant=folded)
    return None


def _takes_scale(operation: Operation) -> bool:
    """Return whether a scale and a shift behind an operation can become part of its weights."""
    return operation.kind in WITH_WEIGHTS and operation.activation == "none"


def _folded(before: Weights, after: Weights) -> Weights:
    """Return the weights of an operation with a scale and shift behind it."""
    weight, scale = before.weight, after.weight
    if weight is None or scale is None:
        return before
    shift: Tensor = after.bias if after.bias is not None else torch.zeros_like(scale)
    bias = shift if before.bias is None else before.bias * scale + shift
    return Weights(weight * scale.view(-1, *(1,) * (weight.ndim - 1)), bias)


def _depthwise(operation: Operation, shapes: Mapping[int, MapShape]) -> Operation:
    """Return a scale and shift as it is written: a depthwise convolution of 1x1."""
    if len(shapes[operation.output]) == 1:
        raise UnsupportedOperationError("a scale and shift of a vector has no int8 kernel")
    weight, bias = operation.constant.weight, operation.constant.bias
    weight = None if weight is None else weight.view(-1, 1, 1, 1)
    return replace(operation, kind="depthwise", constant=Weights(weight, bias))


def _with_writable_padding(operation: Operation, shapes: Mapping[int, MapShape]) -> Operation:
    """Return a convolution whose kernel has zeros where the format would pad on another side.

    The format pads nothing or, with an output of `ceil(side / stride)`, half of what is missing
    (rounded down) before the first pixel. torch pads `padding` there, whatever the size.
    """
    source, target = shapes[operation.inputs[0]], shapes[operation.output]
    sides = zip(
        source[:2], target[:2], operation.kernel, operation.stride, operation.padding, strict=True
    )
    kernel = tuple(_writable_kernel(*side) for side in sides)
    if kernel == operation.kernel:
        return operation
    weight = operation.constant.weight
    if weight is not None:
        rows, columns = (new - old for new, old in zip(kernel, operation.kernel, strict=True))
        weight = torch.nn.functional.pad(weight, (0, columns, 0, rows))
    return replace(
        operation,
        kernel=(kernel[0], kernel[1]),
        constant=Weights(weight, operation.constant.bias),
    )


def _writable_kernel(source: int, target: int, kernel: int, stride: int, padding: int) -> int:
    """Return the least side of a kernel, with zeros behind the given one, that pads as asked."""
    if padding == 0 and target == (source - kernel) // stride + 1:
        return kernel
    for side in range(kernel, kernel + stride + 1):
        missing = max(0, (target - 1) * stride + side - source)
        if target == -(-source // stride) and missing // 2 == padding:
            return side
    raise UnsupportedOperationError(
        f"a convolution of {kernel} pixels with stride {stride} and padding {padding} on a side of "
        f"{source} pixels cannot be written to a file for a device"
    )

"""The file format of LiteRT and TensorFlow Lite Micro: a graph as a `.tflite` flatbuffer.

It holds no labels, names or provenance, since a microcontroller keeps every byte in flash: they
stand in the JSON beside the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from neptune_nas.deploy.quantised_graph import QuantisedGraph, Scale
from neptune_nas.errors import NeptuneError, check_installed
from neptune_nas.graphs.graph import Activation, Graph, Kind, Operation

LIBRARIES = ("ai_edge_litert", "flatbuffers")  # of the extra `litert`

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class _Operator:
    """The name of an operation in the file; `version`: the first one that takes int8."""

    name: str
    version: int = 2
    options: str = ""


OPERATORS: Mapping[Kind, _Operator] = {
    "conv": _Operator("CONV_2D", 3, "Conv2DOptions"),
    "depthwise": _Operator("DEPTHWISE_CONV_2D", 3, "DepthwiseConv2DOptions"),
    "linear": _Operator("FULLY_CONNECTED", 4, "FullyConnectedOptions"),
    "add": _Operator("ADD", options="AddOptions"),
    "mul": _Operator("MUL", options="MulOptions"),
    "max_pool": _Operator("MAX_POOL_2D", options="Pool2DOptions"),
    "average_pool": _Operator("AVERAGE_POOL_2D", options="Pool2DOptions"),
    "relu": _Operator("RELU"),
    "relu6": _Operator("RELU6"),
    "sigmoid": _Operator("LOGISTIC"),
    "hard_swish": _Operator("HARD_SWISH", 1, "HardSwishOptions"),
    "concat": _Operator("CONCATENATION", options="ConcatenationOptions"),
    "resize": _Operator("RESIZE_BILINEAR", 3, "ResizeBilinearOptions"),
}
_ACTIVATIONS: Mapping[Activation, str] = {"none": "NONE", "relu": "RELU", "relu6": "RELU6"}
_MOST_OF_SUM = 2.0**19  # steps of an addend for one of a sum: its kernel ends the process above
_TYPES = {"int8": "INT8", "int32": "INT32", "float32": "FLOAT32"}


def int8_file(quantised: QuantisedGraph, *, lean: bool = True) -> bytes:
    """Return the file of a quantised graph, whose input and output are int8.

    `lean`: leave out what only LiteRT's fast kernels (XNNPACK) read, 12 bytes for each channel.
    Raises `NeptuneError` without the extra `litert`, and for sums that the kernels cannot scale.
    """
    _check_sums(quantised)
    return _Writer(quantised.graph, quantised, lean).file()


def float_file(graph: Graph) -> bytes:
    """Return the file of a fused graph with its weights in float32; raises as `int8_file` does."""
    return _Writer(graph).file()


class _Writer:
    """Collects the tables of a file; `numbers`: the tensor of each value of the graph."""

    def __init__(
        self, graph: Graph, quantised: QuantisedGraph | None = None, lean: bool = True
    ) -> None:
        check_installed("a .tflite file", LIBRARIES, "litert")
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.graph, self.quantised, self.lean = graph, quantised, lean
        self.buffers = [schema.BufferT()]  # the first is empty by convention
        self.tensors: list[Any] = []
        self.codes: dict[_Operator, Any] = {}
        self.numbers: dict[int, int] = {}

    def file(self) -> bytes:
        """Return the bytes of the file."""
        import flatbuffers

        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model().Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def model(self) -> Any:
        """Return the root table."""
        graph = self.graph
        for value in (*graph.inputs, *(each.output for each in graph.operations)):
            self.numbers[value] = self.map(value)
        subgraph = self.schema.SubGraphT(
            operators=[self.operator(each) for each in graph.operations],
            tensors=self.tensors,
            inputs=[self.numbers[value] for value in graph.inputs],
            outputs=[self.numbers[graph.output]],
        )
        return self.schema.ModelT(
            version=3,
            operatorCodes=[*self.codes.values()],
            subgraphs=[subgraph],
            buffers=self.buffers,
        )

    def operator(self, operation: Operation) -> Any:
        """Return one operator, with the tensors of its weights."""
        kind = OPERATORS[operation.kind]
        if kind not in self.codes:
            self.codes[kind] = self.code(kind)
        return self.schema.OperatorT(
            opcodeIndex=[*self.codes].index(kind),
            inputs=[self.numbers[value] for value in operation.inputs] + self.weights(operation),
            outputs=[self.numbers[operation.output]],
            builtinOptionsType=getattr(self.schema.BuiltinOptions, kind.options or "NONE"),
            builtinOptions=self.options(operation, kind.options) if kind.options else None,
        )

    def code(self, kind: _Operator) -> Any:
        """Return the entry of an operator in the list of those that the file uses."""
        number = getattr(self.schema.BuiltinOperator, kind.name)
        return self.schema.OperatorCodeT(
            deprecatedBuiltinCode=number,
            version=kind.version if self.quantised else 1,
            builtinCode=number,
        )

    def options(self, operation: Operation, name: str) -> Any:
        """Return the table of an operator's options, with those that its kind has."""
        options = getattr(self.schema, f"{name}T")()
        activation = _ACTIVATIONS[operation.activation]
        channels = self.graph.shapes[operation.inputs[0]][-1]
        for field, value in (
            ("fusedActivationFunction", getattr(self.schema.ActivationFunctionType, activation)),
            ("padding", self.padding(operation)),
            ("strideH", operation.stride[0]),
            ("strideW", operation.stride[1]),
            ("filterHeight", operation.kernel[0]),
            ("filterWidth", operation.kernel[1]),
            ("depthMultiplier", self.graph.shapes[operation.output][-1] // channels),
            ("axis", -1),
            ("halfPixelCenters", True),
        ):
            if hasattr(options, field):
                setattr(options, field, value)
        return options

    def padding(self, operation: Operation) -> Any:
        """Return SAME or VALID; the kernel was chosen so that one of them is right."""
        padding = self.schema.Padding
        source = self.graph.shapes[operation.inputs[0]][:2]
        target = self.graph.shapes[operation.output][:2]
        sides = zip(source, operation.kernel, operation.stride, strict=False)
        valid = tuple((side - kernel) // stride + 1 for side, kernel, stride in sides)
        return padding.VALID if valid == target and not any(operation.padding) else padding.SAME

    def weights(self, operation: Operation) -> list[int]:
        """Return the tensors of an operation's weights and bias, or of its size, if it has any."""
        if operation.kind == "resize":
            return [self.constant(np.array(self.graph.shapes[operation.output][:2], np.int32))]
        if self.quantised is not None:
            return self.integers(operation, self.quantised)
        weight, bias = operation.constant.weight, operation.constant.bias
        if weight is None:
            return []
        zeros = weight.new_zeros(len(weight))
        tensors = _in_file_order(operation, weight), (zeros if bias is None else bias).detach()
        return [self.constant(tensor.float().numpy()) for tensor in tensors]

    def integers(self, operation: Operation, quantised: QuantisedGraph) -> list[int]:
        """Return the tensors of an operation's integer weights and bias, if it has any."""
        found = quantised.weights.get(operation.output)
        if found is None:
            return []
        steps = found.steps.numpy()[: 1 if operation.kind == "linear" else None]
        zeros, axis = np.zeros(len(steps)), 3 if operation.kind == "depthwise" else 0
        sums = self.scales(steps * quantised.scales[operation.inputs[0]].step, zeros)
        weight = _in_file_order(operation, found.weight).numpy()
        is_left_out = self.lean and operation.kind != "linear"  # whose kernel checks it
        return [
            self.constant(weight, self.scales(steps, zeros, axis)),
            self.constant(found.bias.numpy(), None if is_left_out else sums),
        ]

    def constant(self, values: _Array, quantisation: Any = None) -> int:
        """Append a constant tensor and return its number."""
        data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.buffers.append(self.schema.BufferT(data=data))
        return self.tensor(values.shape, values.dtype.name, len(self.buffers) - 1, quantisation)

    def map(self, value: int) -> int:
        """Append the tensor of a value that is computed, and return its number."""
        shape = (1, *self.graph.shapes[value])
        if self.quantised is None:
            return self.tensor(shape, "float32")
        scale: Scale = self.quantised.scales[value]
        scales = self.scales(np.array([scale.step]), np.array([scale.zero_point]))
        return self.tensor(shape, "int8", quantisation=scales)

    def tensor(
        self, shape: tuple[int, ...], dtype: str, buffer: int = 0, quantisation: Any = None
    ) -> int:
        """Append a tensor and return its number."""
        self.tensors.append(
            self.schema.TensorT(
                shape=np.array(shape, np.int32),
                type=getattr(self.schema.TensorType, _TYPES[dtype]),
                buffer=buffer,
                quantization=quantisation,
            )
        )
        return len(self.tensors) - 1

    def scales(self, steps: _Array, zero_points: _Array, axis: int = 0) -> Any:
        """Return the quantisation of a tensor, by place along an axis or one for all."""
        return self.schema.QuantizationParametersT(
            scale=steps.astype(np.float32),
            zeroPoint=zero_points.astype(np.int64),
            quantizedDimension=axis,
        )


def _check_sums(quantised: QuantisedGraph) -> None:
    """Refuse a sum that is finer than what it is of by more than its kernel can express."""
    for each in quantised.graph.operations:
        if each.kind == "add":
            widest = max(quantised.scales[value].step for value in each.inputs)
            if widest >= _MOST_OF_SUM * quantised.scales[each.output].step:
                raise NeptuneError(
                    "the network cannot be written in int8: a sum of two maps has a range that is "
                    "less than a millionth of theirs; train it again."
                )


def _in_file_order(operation: Operation, weight: Tensor) -> Tensor:
    """Return weights in the order of the file: OHWI, depthwise 1HWO, linear as it is."""
    weight = weight.detach()
    if operation.kind == "conv":
        return weight.permute(0, 2, 3, 1)
    return weight.permute(1, 2, 3, 0) if operation.kind == "depthwise" else weight

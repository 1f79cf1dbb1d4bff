"""A network as an ONNX graph for one image, written in a tenth of the time that torch takes.

It serves to time a network, not to deliver it. Whatever depends on weights and shapes alone is
computed while it is written, as torch's exporter does. Operations that are not in the table are
refused, and the caller falls back on torch's exporter.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.proxy_tensor import make_fx

from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.nn.builder import Shape

aten = torch.ops.aten
INPUT, OUTPUT = "images", "logits"
_OPSET = 18


def onnx_file(network: nn.Module, input_shape: Shape) -> bytes:
    """Return a file that maps `images` `(1, C, H, W)` to `logits` as the network in eval mode does.

    Raises `UnsupportedOperationError` for an operation that is not in the table.
    """
    with torch.no_grad():
        traced = make_fx(network.eval())(torch.rand(1, *input_shape))
        return _Writer(traced).file(input_shape)


class _Writer:
    """Walks the nodes of a traced network; `values`: the constant or the name that each is."""

    def __init__(self, traced: fx.GraphModule) -> None:
        from onnx import helper, numpy_helper

        self.helper: Any = helper
        self.to_array: Callable[[Any, str], Any] = numpy_helper.from_array
        self.traced = traced
        self.values: dict[fx.Node, Any] = {}
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def file(self, input_shape: Shape) -> bytes:
        """Return the bytes of the file."""
        for node in self.traced.graph.nodes:
            match node.op:
                case "placeholder":
                    self.values[node] = INPUT
                case "get_attr":
                    self.values[node] = getattr(self.traced, node.target)
                case "output":
                    self.emit("Identity", self.known(node.args[0]), outputs=[OUTPUT])
                case _ if node.users:
                    self.values[node] = self.value_of(node)
        value, float32 = self.helper.make_tensor_value_info, self.helper.np_dtype_to_tensor_dtype
        kind = float32(torch.zeros(0).numpy().dtype)
        graph = self.helper.make_graph(
            self.nodes,
            "network",
            [value(INPUT, kind, (1, *input_shape))],
            [value(OUTPUT, kind, None)],
            self.constants,
        )
        opset = self.helper.make_opsetid("", _OPSET)
        model = self.helper.make_model(graph, opset_imports=[opset], ir_version=9)
        content: bytes = model.SerializeToString()
        return content

    def value_of(self, node: fx.Node) -> Any:
        """Return what a node stands for: its value if that is constant, else a name."""
        args = [self.known(each) for each in node.args]
        if not any(isinstance(each, str) for each in _flat(args)):
            return node.target(*args, **node.kwargs)  # type: ignore[operator]
        if node.target is operator.getitem:
            return args[0] if isinstance(args[0], str) else args[0][args[1]]
        packet = getattr(node.target, "overloadpacket", None)
        rule = _RULES.get(packet)
        if rule is None:
            raise UnsupportedOperationError(f"the table has no '{packet}'")
        return rule(self, node, *args)

    def known(self, value: Any) -> Any:
        """Return an argument with each node replaced by what it stands for."""
        return fx.node.map_arg(value, lambda node: self.values[node])

    def emit(self, kind: str, *inputs: Any, outputs: Sequence[str] = (), **attributes: Any) -> Any:
        """Append a node and return the name of its output, or a list of names."""
        names = outputs or [f"v{len(self.nodes)}"]
        read = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(self.helper.make_node(kind, read, names, **attributes))
        return names[0] if len(names) == 1 else list(names)

    def constant(self, value: Any) -> str:
        """Store a constant and return its name; an empty name leaves an optional input out."""
        if value is None:
            return ""
        kind = torch.float32 if isinstance(value, float) else None
        tensor = value if isinstance(value, Tensor) else torch.tensor(value, dtype=kind)
        name = f"c{len(self.constants)}"
        self.constants.append(self.to_array(tensor.detach().contiguous().numpy(), name))
        return name


_Rule = Callable[..., Any]


def _flat(values: Any) -> list[Any]:
    """Return all values in nested lists."""
    if isinstance(values, list | tuple):
        return [each for value in values for each in _flat(value)]
    return [values]


def _shape(node: Any) -> list[int]:
    return list(node.meta["tensor_meta"].shape)


def _convolution(to: _Writer, node: fx.Node, x: Any, weight: Any, bias: Any, *how: Any) -> Any:
    stride, padding, dilation, transposed, _, groups = how
    if transposed:
        raise UnsupportedOperationError("the table has no transposed convolution")
    inputs = [x, weight] if bias is None else [x, weight, bias]
    more = {"dilations": list(dilation), "group": groups, "kernel_shape": list(weight.shape[2:])}
    return to.emit("Conv", *inputs, strides=list(stride), pads=list(padding) * 2, **more)


def _batch_norm(to: _Writer, node: fx.Node, *args: Any) -> Any:
    x, weight, bias, mean, variance, *_, eps = args
    y = to.emit("BatchNormalization", x, weight, bias, mean, variance, epsilon=eps)
    return [y]


def _pool(kind: str) -> _Rule:
    def rule(
        to: _Writer,
        node: fx.Node,
        x: Any,
        kernel: Any,
        stride: Any = (),
        padding: Any = (0, 0),
        *how: Any,
    ) -> Any:
        pads = list(padding) * (2 if len(padding) == 2 else 4)
        more = {"kernel_shape": list(kernel), "strides": list(stride or kernel), "pads": pads}
        if kind == "MaxPool":
            return [to.emit(kind, x, ceil_mode=int(how[1]) if len(how) > 1 else 0, **more)]
        ceil, include = (*how, False, True)[:2] if len(how) < 2 else how[:2]
        return to.emit(kind, x, ceil_mode=int(ceil), count_include_pad=int(include), **more)

    return rule


def _reduce(kind: str) -> _Rule:
    def rule(to: _Writer, node: fx.Node, x: Any, dims: Any, keep: bool = False, **_: Any) -> Any:
        return to.emit(kind, x, list(dims), keepdims=int(keep))

    return rule


def _reshape(to: _Writer, node: fx.Node, x: Any, *_: Any) -> Any:
    return to.emit("Reshape", x, _shape(node))


def _transpose(to: _Writer, node: fx.Node, x: Any, *dims: int) -> Any:
    count = len(_shape(node))
    order = list(range(count))
    one, other = dims or (0, 1)
    order[one], order[other] = order[other], order[one]
    return to.emit("Transpose", x, perm=order)


def _softmax(to: _Writer, node: fx.Node, x: Any, dim: int, *_: Any) -> Any:
    return to.emit("Softmax", x, axis=dim)


def _addmm(to: _Writer, node: fx.Node, bias: Any, x: Any, weight: Any) -> Any:
    return to.emit("Gemm", x, weight, bias)


def _expand(to: _Writer, node: fx.Node, x: Any, *_: Any) -> Any:
    same = _shape(node.args[0]) == _shape(node)
    return x if same else to.emit("Expand", x, _shape(node))


def _split(to: _Writer, node: fx.Node, x: Any, size: Any, dim: int = 0) -> Any:
    parts = [each.shape[dim] for each in node.meta["val"]]
    names = [f"v{len(to.nodes)}_{i}" for i in range(len(parts))]
    found = to.emit("Split", x, parts, outputs=names, axis=dim)
    return found if isinstance(found, list) else [found]


def _unbind(to: _Writer, node: fx.Node, x: Any, dim: int = 0) -> Any:
    return [
        to.emit("Gather", x, torch.tensor(i), axis=dim) for i in range(_shape(node.args[0])[dim])
    ]


def _slice(to: _Writer, node: fx.Node, x: Any, dim: int = 0, *ends: Any) -> Any:
    start, end = (*ends, *(0, 2**62)[len(ends) :])[:2]
    step = ends[2:]
    if _shape(node.args[0]) == _shape(node):
        return x
    return to.emit("Slice", x, [start or 0], [end], [dim], list(step or [1]))


def _resize(to: _Writer, node: fx.Node, x: Any, *_: Any) -> Any:
    scales = [new / old for new, old in zip(_shape(node), _shape(node.args[0]), strict=True)]
    how = {"mode": "nearest", "nearest_mode": "floor"}
    return to.emit("Resize", x, None, scales, coordinate_transformation_mode="asymmetric", **how)


def _group_norm(to: _Writer, node: fx.Node, *args: Any) -> Any:
    x, weight, bias, *_, groups, eps = args
    shape = _shape(node.args[0])
    flat = to.emit("Reshape", x, [1, groups, -1])
    ones, zeros = torch.ones(groups), torch.zeros(groups)
    even = to.emit("InstanceNormalization", flat, ones, zeros, epsilon=eps)
    found = to.emit("Reshape", even, shape)
    ends = [each.reshape(-1, *(1,) * (len(shape) - 2)) for each in (weight, bias)]
    return [to.emit("Add", to.emit("Mul", found, ends[0]), ends[1])]


def _attention(to: _Writer, node: fx.Node, query: Any, keys: Any, values: Any, *_: Any) -> Any:
    scale = _shape(node.args[0])[-1] ** -0.5
    turned = to.emit("Transpose", keys, perm=[0, 1, 3, 2])
    scores = to.emit("MatMul", to.emit("Mul", query, scale), turned)
    return [to.emit("MatMul", to.emit("Softmax", scores, axis=-1), values)]


def _gelu(to: _Writer, node: fx.Node, x: Any, *_: Any) -> Any:
    half = to.emit("Add", to.emit("Erf", to.emit("Div", x, 2**0.5)), 1.0)
    return to.emit("Mul", to.emit("Mul", x, half), 0.5)


def _lerp(to: _Writer, node: fx.Node, start: Any, end: Any, weight: float) -> Any:
    return to.emit("Add", start, to.emit("Mul", to.emit("Sub", end, start), float(weight)))


def _power(to: _Writer, node: fx.Node, x: Any, exponent: Any) -> Any:
    return to.emit("Pow", x, float(exponent))


def _clamp(to: _Writer, node: fx.Node, x: Any, low: Any = None, high: Any = None) -> Any:
    return to.emit("Clip", x, *(None if end is None else float(end) for end in (low, high)))


def _binary(kind: str) -> _Rule:
    def rule(to: _Writer, node: fx.Node, *args: Any) -> Any:
        return to.emit(kind, *(float(x) if isinstance(x, int | float) else x for x in args))

    return rule


def _unary(kind: str) -> _Rule:
    return lambda to, node, x, *_: to.emit(kind, x)


_RULES: dict[Any, _Rule] = {
    **{getattr(aten, name): _binary(name.capitalize()) for name in ("add", "sub", "mul", "div")},
    aten.mm: _binary("MatMul"),
    aten.bmm: _binary("MatMul"),
    aten.relu: _unary("Relu"),
    aten.log: _unary("Log"),
    aten.sqrt: _unary("Sqrt"),
    aten.sigmoid: _unary("Sigmoid"),
    aten.hardswish: _unary("HardSwish"),
    **dict.fromkeys((aten.view, aten._unsafe_view, aten.unsqueeze, aten.squeeze), _reshape),
    **dict.fromkeys((aten.clone, aten.alias, aten.detach), lambda to, node, x, *_: x),
    aten.convolution: _convolution,
    aten.native_batch_norm: _batch_norm,
    aten.max_pool2d_with_indices: _pool("MaxPool"),
    aten.avg_pool2d: _pool("AveragePool"),
    aten.mean: _reduce("ReduceMean"),
    aten.sum: _reduce("ReduceSum"),
    aten.permute: lambda to, node, x, dims: to.emit("Transpose", x, perm=list(dims)),
    aten.transpose: _transpose,
    aten.t: _transpose,
    aten._softmax: _softmax,
    aten.addmm: _addmm,
    aten.expand: _expand,
    aten.cat: lambda to, node, maps, dim=0: to.emit("Concat", *maps, axis=dim),
    aten.split: _split,
    aten.unbind: _unbind,
    aten.slice: _slice,
    aten.upsample_nearest2d: _resize,
    aten.native_group_norm: _group_norm,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten.gelu: _gelu,
    aten.lerp: _lerp,
    aten.pow: _power,
    aten.clamp: _clamp,
    aten.hardtanh: _clamp,
    aten.new_full: lambda to, node, x, size, value, **_: torch.full(
        size, value, dtype=node.meta["tensor_meta"].dtype
    ),
    aten.rsqrt: lambda to, node, x: to.emit("Reciprocal", to.emit("Sqrt", x)),
    aten.addcmul: lambda to, node, x, y, z: to.emit("Add", x, to.emit("Mul", y, z)),
}

"""The graph of a network: as it runs, torch's operations become those of a runtime, one by one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from neptune_nas.errors import ArchitectureError
from neptune_nas.graphs.graph import Graph, Kind, MapShape, Operation, Weights

aten = torch.ops.aten


class UnsupportedOperationError(ArchitectureError):
    """A network has an operation that no runtime on a device has a kernel for."""


def lower(network: nn.Module, *inputs: Tensor | list[Tensor]) -> Graph:
    """Return the operations of a network in eval mode, run with one image `(1, C, H, W)`.

    On the meta device, operations have no weights. A list of tensors is one input for each, and of
    a list of outputs the last is that of the graph. Raises `UnsupportedOperationError` for an
    operation that no graph can hold, naming it.
    """
    low = _Lowering()
    for tensor in tree_leaves(inputs):
        low.inputs.append(low.new(tensor))
    with torch.no_grad(), low:
        output = network.eval()(*inputs)
    last = output[-1] if isinstance(output, list | tuple) else output
    return Graph(low.shapes, tuple(low.operations), tuple(low.inputs), low.number(last))


class DispatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's class has no types
    """A mode that sees each operation, without importing torch's compiler, which takes a second.

    No network is compiled inside one.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()  # type: ignore[no-untyped-call]  # torch's class has no types

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's class has no types

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class _Lowering(DispatchMode):
    """Turns each operation that runs inside the context into one of a graph.

    `values`: by the id of a tensor, the number of the value that it is; of tensors without a number
    here, all are constants. `alive`: those tensors, or another could get the id of one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[int, int | None] = {}
        self.alive: list[Tensor] = []
        self.shapes: dict[int, MapShape] = {}
        self.operations: list[Operation] = []
        self.inputs: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and lower it; what is computed from constants alone is a constant."""
        kwargs = kwargs or {}
        if self.is_constant(args) and self.is_constant(tuple(kwargs.values())):
            return func(*args, **kwargs)
        rule = _RULES.get(func.overloadpacket)
        if rule is None:
            with self:
                apart = func.decompose(*args, **kwargs)
            if apart is not NotImplemented:
                return apart
            raise _unsupported(f"operation '{func.overloadpacket.__name__}'")
        writes = func._schema.is_mutable
        if writes and (func._overloadname == "out" or self.is_constant(args[0])):
            raise _unsupported("an operation that writes into another tensor")
        out = func(*args, **kwargs)
        first, *others = out if isinstance(out, list | tuple) else [out]
        rule(self, first, *args, **kwargs)
        for other in others:
            self.name(other, None)
        if writes:
            self.renumber(first)
        return out

    def renumber(self, changed: Tensor) -> None:
        """Give the views of a map that was changed in place, and what it views, its new number."""
        number, memory = self.number(changed), changed.untyped_storage()._cdata
        for tensor in self.alive:
            if tensor.untyped_storage()._cdata == memory:
                self.values[id(tensor)] = number

    def name(self, tensor: Tensor, number: int | None) -> None:
        """Note which value a tensor is; None: one that a graph does not have."""
        self.values[id(tensor)] = number
        self.alive.append(tensor)

    def new(self, tensor: Tensor) -> int:
        """Return the number of a new value."""
        number = len(self.shapes)
        self.shapes[number] = _map_shape(tensor.shape)
        self.name(tensor, number)
        return number

    def number(self, tensor: Any) -> int:
        """Return the number of a value that is not a constant."""
        found = self.values.get(id(tensor))
        if found is None:
            raise _unsupported(
                "an operation on a constant, or on the second result of another operation,"
            )
        return found

    def emit(self, out: Tensor, kind: Kind, inputs: Iterable[Any], **more: Any) -> None:
        """Append an operation that puts out a tensor."""
        numbers = tuple(map(self.number, inputs))
        self.operations.append(Operation(kind, numbers, self.new(out), **more))

    def require_constants(self, *values: Any) -> None:
        """Refuse weights that are computed from the image."""
        if not all(map(self.is_constant, values)):
            raise _unsupported("an operation with weights that depend on the image")

    def is_constant(self, value: Any) -> bool:
        """Return whether a value neither is nor contains a map that depends on the image."""
        if isinstance(value, list | tuple):  # torch's operations take no other containers
            return all(map(self.is_constant, value))
        return id(value) not in self.values


Rule = Callable[..., None]


def _convolution(low: _Lowering, out: Tensor, x: Any, weight: Any, bias: Any, *how: Any) -> None:
    """Lower a convolution; one group for each channel is depthwise."""
    stride, padding, dilation, transposed, _, groups = how
    channels = x.shape[1]
    low.require_constants(weight, bias)
    if transposed or any(step != 1 for step in dilation) or len(stride) != 2:
        raise _unsupported("a transposed, dilated or one-dimensional convolution")
    if groups not in (1, channels):
        raise _unsupported(f"a convolution in {groups} groups of {channels} channels")
    low.emit(
        out,
        "depthwise" if groups > 1 else "conv",
        [x],
        kernel=tuple(weight.shape[2:]),
        stride=tuple(stride),
        padding=tuple(padding),
        constant=_weights(weight, bias),
    )


def _batch_norm(low: _Lowering, out: Tensor, x: Any, *how: Any) -> None:
    """Lower a batch norm to a scale and a shift for each channel."""
    *tensors, training, _, eps = how
    weight, bias, mean, variance = tensors
    low.require_constants(*tensors)
    if training:
        raise _unsupported("a batch norm in training mode")
    if mean.is_meta:
        scale = shift = mean
    else:
        scale = (variance + eps).rsqrt() * (1 if weight is None else weight)
        shift = (0 if bias is None else bias) - mean * scale
    low.emit(out, "affine", [x], constant=_weights(scale, shift))


def _linear(low: _Lowering, out: Tensor, bias: Any, x: Any, weight: Any) -> None:
    low.require_constants(weight, bias)
    low.emit(out, "linear", [x], constant=_weights(weight.mT, bias))


def _add(low: _Lowering, out: Tensor, x: Any, y: Any, alpha: float = 1) -> None:
    if alpha != 1:
        raise _unsupported("a sum with a factor")
    _pair(low, out, "add", x, y)


def _mul(low: _Lowering, out: Tensor, x: Any, y: Any) -> None:
    _pair(low, out, "mul", x, y)


def _sub(low: _Lowering, out: Tensor, x: Any, y: Any, alpha: float = 1) -> None:
    if alpha != 1:
        raise _unsupported("a difference with a factor")
    _shift_or_scale(low, out, x, y, lambda y: (torch.ones_like(y), -y))


def _div(low: _Lowering, out: Tensor, x: Any, y: Any, *, rounding_mode: Any = None) -> None:
    if rounding_mode is not None:
        raise _unsupported("a division that is rounded")
    _shift_or_scale(low, out, x, y, lambda y: (1 / y, torch.zeros_like(y)))


def _pair(low: _Lowering, out: Tensor, kind: Kind, x: Any, y: Any) -> None:
    """Lower a sum or product of two values, or of one with a constant for each channel."""
    if low.is_constant(x):
        x, y = y, x
    if low.is_constant(y):
        scale = {
            "add": lambda y: (torch.ones_like(y), y),
            "mul": lambda y: (y, torch.zeros_like(y)),
        }[kind]
        _shift_or_scale(low, out, x, y, scale)
        return
    if x.ndim != y.ndim:
        raise _unsupported(f"an operation on {x.ndim} and {y.ndim} dimensions")
    low.emit(out, kind, sorted([x, y], key=Tensor.numel, reverse=True))


def _shift_or_scale(
    low: _Lowering, out: Tensor, x: Any, y: Any, affine: Callable[[Tensor], Any]
) -> None:
    """Lower an operation with a constant, the same in every pixel, to a scale and a shift."""
    low.require_constants(y)
    constant = y if isinstance(y, Tensor) else torch.tensor(float(y))
    channels, by_channel = x.shape[1], x.shape[1:2] + (1,) * (x.ndim - 2)
    is_one = constant.numel() == 1 or (
        constant.numel() == channels and constant.shape[-len(by_channel) :] == by_channel
    )
    if not is_one or out.shape != x.shape:
        raise _unsupported(f"a constant of shape {tuple(constant.shape)}")
    low.emit(
        out, "affine", [x], constant=_weights(*affine(constant.flatten().expand(channels).float()))
    )


def _unary(kind: Kind) -> Rule:
    def rule(low: _Lowering, out: Tensor, x: Any) -> None:
        low.emit(out, kind, [x])

    return rule


def _hard_tanh(low: _Lowering, out: Tensor, x: Any, least: float = -1, most: float = 1) -> None:
    if (least, most) != (0, 6):
        raise _unsupported(f"a clamp to {least}..{most}")
    low.emit(out, "relu6", [x])


def _pool(kind: Kind) -> Rule:
    def rule(
        low: _Lowering,
        out: Tensor,
        x: Any,
        kernel: Any,
        stride: Any = (),
        padding: Any = 0,
        *more: Any,
    ) -> None:
        kernel, stride, padding = _pair_of(kernel), _pair_of(stride or kernel), _pair_of(padding)
        if kind == "average_pool":
            unusual = more[::2]  # rounding up, (whether padding counts,) another divisor
        else:
            unusual = (_pair_of(more[0] if more else 1) != (1, 1), *more[1:])  # dilation, rounding
        if any(padding) or any(unusual):
            raise _unsupported(
                "a pooling with padding, dilation, a divisor or a size that is rounded up"
            )
        low.emit(out, kind, [x], kernel=kernel, stride=stride)

    return rule


def _mean(
    low: _Lowering, out: Tensor, x: Any, axes: Sequence[int] = (), *_: Any, **__: Any
) -> None:
    """Lower a mean over all pixels."""
    shape = x.shape
    if len(shape) != 4 or sorted(axis % 4 for axis in axes) != [2, 3]:
        raise _unsupported(f"a mean over the axes {list(axes)}")
    low.emit(out, "average_pool", [x], kernel=tuple(shape[2:]), stride=tuple(shape[2:]))
    low.shapes[low.number(out)] = (1, 1, shape[1])


def _adaptive(low: _Lowering, out: Tensor, x: Any, size: Sequence[int]) -> None:
    if list(size) != [1, 1]:
        raise _unsupported(f"adaptive pooling to {list(size)}")
    _mean(low, out, x, (2, 3))


def _resize(low: _Lowering, out: Tensor, x: Any, _: Any, align_corners: bool, *_more: Any) -> None:
    if align_corners:
        raise _unsupported("a bilinear resizing that aligns corners")
    low.emit(out, "resize", [x])


def _concat(low: _Lowering, out: Tensor, maps: Sequence[Any], axis: int = 0) -> None:
    if axis not in (1, -3) and out.ndim == 4:
        raise _unsupported(f"a concatenation along axis {axis}")
    low.emit(out, "concat", maps)


def _same(low: _Lowering, out: Tensor, x: Any, *_: Any, **__: Any) -> None:
    """Keep a value as it is."""
    low.name(out, low.number(x))


def _view(low: _Lowering, out: Tensor, x: Any, *_: Any) -> None:
    """Lower a change of shape; one that leaves the channels of a single pixel costs nothing."""
    before, after = x.shape, out.shape
    if sum(side > 1 for side in before) <= 1 and sum(side > 1 for side in after) <= 1:
        low.name(out, low.number(x))
        return
    raise _unsupported(f"a change of shape from {tuple(before)} to {tuple(after)}")


_RULES: dict[Any, Rule] = {
    aten.convolution: _convolution,
    aten.native_batch_norm: _batch_norm,
    aten._native_batch_norm_legit_no_training: _batch_norm,
    aten.addmm: _linear,
    aten.add: _add,
    aten.add_: _add,
    aten.sub: _sub,
    aten.mul: _mul,
    aten.div: _div,
    aten.relu: _unary("relu"),
    aten.relu_: _unary("relu"),
    aten.sigmoid: _unary("sigmoid"),
    aten.hardswish: _unary("hard_swish"),
    aten.hardswish_: _unary("hard_swish"),
    aten.hardtanh: _hard_tanh,
    aten.hardtanh_: _hard_tanh,
    aten.max_pool2d_with_indices: _pool("max_pool"),
    aten.avg_pool2d: _pool("average_pool"),
    aten.mean: _mean,
    aten._adaptive_avg_pool2d: _adaptive,
    aten.upsample_bilinear2d: _resize,
    aten.cat: _concat,
    aten.clone: _same,
    aten.detach: _same,
    aten.alias: _same,
    aten.view: _view,
    aten._unsafe_view: _view,
}


def _weights(weight: Tensor, bias: Tensor | None) -> Weights:
    return Weights() if weight.is_meta else Weights(weight, bias)


def _pair_of(value: Any) -> tuple[int, int]:
    sides = tuple(value) if isinstance(value, list | tuple) else (value,)
    return (sides[0], sides[-1])


def _map_shape(shape: Sequence[int]) -> MapShape:
    """Return `(H, W, C)` for `(1, C, H, W)`, and `(C,)` for `(1, C)`."""
    if len(shape) == 4 and shape[0] == 1:
        return (*shape[2:], shape[1])
    if len(shape) == 2 and shape[0] == 1:
        return (shape[1],)
    raise _unsupported(f"a value of shape {tuple(shape)}")


def _unsupported(what: str) -> UnsupportedOperationError:
    return UnsupportedOperationError(f"{what} has no int8 kernel")

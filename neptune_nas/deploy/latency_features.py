"""The features that predict the latency of a part: its operations by kind, their number and size.

They are counted on the meta device, as costs are, so any part has them, a user's own too.
"""

from collections import defaultdict
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from neptune_nas.graphs.lowering import DispatchMode
from neptune_nas.nn.builder import NetworkPart, build_part

Features = dict[str, float]
"""Amounts by name, such as `conv 3x3 MACs`: sums over operations, of parts, of networks."""

aten = torch.ops.aten
_PRODUCTS = frozenset({aten.mm, aten.bmm, aten.addmm, aten.baddbmm})
_FREE = frozenset({aten.alias, aten.detach, aten.view, aten._unsafe_view, aten.unsqueeze})
_LANES = 16  # channels that kernels compute at once: the rest of the last lot is wasted


def part_features(part: NetworkPart) -> Features:
    """Return the features of one part, built on the meta device."""
    with torch.device("meta"), torch.no_grad():
        module, inputs = build_part(part).eval(), part.inputs()
        with _Meter() as meter:
            module(inputs)
    return dict(meter.found)


class _Meter(DispatchMode):
    """Sums the features of the operations that run inside the context."""

    def __init__(self) -> None:
        super().__init__()
        self.found: defaultdict[str, float] = defaultdict(float)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and note it; a composite operation is decomposed first."""
        with self:
            apart = func.decompose(*args, **(kwargs or {}))
        if apart is not NotImplemented:
            return apart
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket not in _FREE:
            self.note(func.overloadpacket, args, out)
        return out

    def note(self, operation: Any, args: Any, out: Any) -> None:
        """Add the features of one operation."""
        written = sum(each.numel() for each in tree_leaves(out) if isinstance(each, Tensor))
        if operation is aten.convolution:
            self.note_convolution(args[0], args[1], args[8] > 1, written)
        elif operation in _PRODUCTS:
            left, right = args[-2:]
            self.add("product", MACs=left.numel() * right.shape[-1], outputs=written)
        else:
            self.add(str(operation), outputs=written)
        self.found["operations"] += 1

    def note_convolution(self, source: Any, weight: Any, grouped: bool, written: int) -> None:
        """Add the features of a convolution, with channels in whole lots but for an image's."""
        width, channels = weight.shape[:2]
        filled = _lots(width) * (1.0 if grouped or channels < 4 else _lots(channels))
        odd = " odd" if grouped and width % _LANES else ""
        kind = f"{'grouped' if grouped else 'conv'} {weight.shape[-1]}x{weight.shape[-1]}{odd}"
        macs = written * prod(weight.shape[1:]) * filled
        self.add(kind, outputs=written, inputs=source.numel(), MACs=macs, weights=weight.numel())

    def add(self, kind: str, **amounts: float) -> None:
        """Add amounts of a kind of operation, and count it."""
        for name, amount in {**amounts, "count": 1.0}.items():
            self.found[f"{kind} {name}"] += amount


def _lots(channels: int) -> float:
    """Return the channels that are computed for each that counts."""
    return -(-channels // _LANES) * _LANES / channels

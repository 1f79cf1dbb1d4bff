"""Exact costs and peak memory, counted on the meta device: by parts, or on the whole network."""

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from neptune_nas.architecture.codec import BUILT_IN
from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.errors import (
    ArchitectureError,
    NeptuneError,
    OwnCodeError,
    failure_text,
    file_with,
    first_line,
)
from neptune_nas.files.rules import Sides, Size
from neptune_nas.files.schema import check_value
from neptune_nas.graphs.file_size import file_size
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.graph import Graph
from neptune_nas.graphs.joining import GraphModel
from neptune_nas.graphs.lowering import DispatchMode, UnsupportedOperationError, lower
from neptune_nas.graphs.memory_plan import arena
from neptune_nas.metrics.part_costs import part_counts, part_params
from neptune_nas.metrics.peak_memory import peak_memory
from neptune_nas.nn.builder import (
    NetworkPart,
    OpaqueNetwork,
    Shape,
    SubStagePlace,
    build,
    build_part,
    parts,
)
from neptune_nas.nn.classifier import Classifier
from neptune_nas.nn.user_modules import check_logits

aten = torch.ops.aten

PRODUCT = re.compile(
    r"mm($|_|\d)|addm|addbmm|addr|dot|matmul|conv(?!ert)|attention|attn|linear(?!_comb)|einsum|lstm|"
    r"gru|rnn|linalg|cdist|pdist|kron|outer|inner|fft|transformer|solve|cholesky|inverse|pinv|"
    r"householder|matrix_(exp|power)|corrcoef|gemm|bilinear|(^|_)(mv|ger|cov|lu|qr|svd|eig)($|_)"
)
"""Matches the names of torch operations that contain, or may contain, a matrix product."""

HARMLESS = re.compile(r"^_?upsample_|^linalg_(vector_norm|_powsum|cross|diagonal)$")
"""Matches names that `PRODUCT` finds although the operation contains no matrix product."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one forward pass of one image, counted on the built network in eval mode.

    `macs`: multiply-adds of convolutions, linear layers and every matrix product of attention.
    `params`: learned numbers. `activations`: output elements of those same operations
    (Radosavovic et al. 2020, arXiv 2003.13678).
    """

    macs: int
    params: int
    activations: int

    @property
    def flops(self) -> int:
        """Floating-point operations: two per multiply-add."""
        return 2 * self.macs

    @property
    def values(self) -> dict[str, float]:
        """The counted metrics by name."""
        return {name: getattr(self, name) for name in ADDED}

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.macs + other.macs,
            self.params + other.params,
            self.activations + other.activations,
        )


ADDED = ("flops", "macs", "params", "activations")
"""The counted metrics that are sums over the parts of a network."""


class CostModel:
    """Costs of architectures on images of one shape, as sums over parts that are counted once.

    What a device needs is counted on a graph that is joined from the same parts. The network of a
    user's record is a single part, and equal records are counted once. At most `remembered` parts,
    and values of whole networks, are cached; then the cache is cleared.
    """

    def __init__(self, input_shape: Shape, classes: int, remembered: int = 100_000) -> None:
        check_value(input_shape, Sides, "input_shape")
        check_value(classes, Size, "classes")
        self.input_shape, self.classes, self.remembered = input_shape, classes, remembered
        self.known: dict[NetworkPart, Cost] = {}
        self.whole: dict[tuple[str, Architecture | Network], float] = {}
        self.graphs = GraphModel(input_shape, classes, remembered, part_params)

    def cost(self, architecture: Architecture | Network) -> Cost:
        """Return the cost of one forward pass of one image."""
        costs = [self.of_part(part) for part in self.parts(architecture)]
        return Cost(
            sum(cost.macs for cost in costs),
            sum(cost.params for cost in costs),
            sum(cost.activations for cost in costs),
        )

    def value(self, name: str, architecture: Architecture | Network) -> float:
        """Return one counted metric of an architecture, by its name."""
        if name in ADDED:
            return float(getattr(self.cost(architecture), name))
        place = name, architecture
        if place not in self.whole:
            if len(self.whole) >= self.remembered:
                self.whole.clear()
            if name in WHOLE:
                self.whole[place] = WHOLE[name](architecture, self.input_shape, self.classes)
            else:
                self.cost(architecture)  # which says whose code fails, and how
                graph = self.graphs.graph(architecture)
                self.whole |= {(each, architecture): DEVICE[each](graph) for each in DEVICE}
        return self.whole[place]

    def values(
        self, architecture: Architecture | Network, names: Iterable[str] = ()
    ) -> dict[str, float]:
        """Return the metrics that are sums over parts, and the counted ones among `names`."""
        others = [name for name in names if name in WHOLE or name in DEVICE]
        further = {name: self.value(name, architecture) for name in others}
        return {**self.cost(architecture).values, **further}

    def breakdown(self, architecture: Architecture | Network) -> tuple[tuple[str, Cost], ...]:
        """Return the cost of each part by its place, from the first to the last."""
        return tuple((part.name, self.of_part(part)) for part in self.parts(architecture))

    def parts(self, architecture: Architecture | Network) -> tuple[NetworkPart, ...]:
        """Return the parts of an architecture for this model's images."""
        return parts(architecture, self.input_shape, self.classes)

    def of_part(self, part: NetworkPart) -> Cost:
        """Return the cost of one part: in closed form, or counted at its first use."""
        known = self.known.get(part)
        if known is None:
            if len(self.known) >= self.remembered:
                self.known.clear()
            closed = part_counts(part)
            known = self.known[part] = Cost(*closed) if closed else count_part(part)
        return known


def count_part(part: NetworkPart) -> Cost:
    """Build one part on the meta device and count it; errors name the part."""
    try:
        with torch.device("meta"):
            module, inputs = _build_part(part), part.inputs()
        found, output = _run(module, inputs)
        if isinstance(part.what, OpaqueNetwork):
            check_logits(output, part.what.architecture, part.outputs)
        return found
    except NeptuneError as error:
        raise type(error)(f"{part.name}: {error}") from error
    except RuntimeError as error:  # torch's own, on shapes, devices or values unknown on meta
        raise ArchitectureError(
            f"{part.name}: cannot run on the meta device, where costs are counted: {error}"
        ) from error
    except (Exception, SystemExit) as error:
        cls = _user_class(part)
        if cls is None:
            raise
        place = f"at width {part.shape[0]}" if isinstance(part.what, SubStagePlace) else "as it ran"
        why = failure_text(error, file_with(cls), named=True)
        raise OwnCodeError(f"{part.name}: `{cls.__name__}` {place} failed{why}") from error


def _build_part(part: NetworkPart) -> nn.Module:
    """Build a part on the current device; an error of torch names the user's class."""
    try:
        return build_part(part)
    except RuntimeError as error:
        cls = _user_class(part)
        if cls is None:
            raise
        # The CPU refuses an opaque network too: the images' shape is the cause.
        if isinstance(part.what, OpaqueNetwork):
            raise ArchitectureError(
                f"`{cls.__name__}.build` failed: {first_line(error)}"
            ) from error
        raise OwnCodeError(
            f"`{cls.__name__}.build({part.shape[0]})` cannot run on the meta device, where costs "
            f"are counted: {error}"
        ) from error


def _user_class(part: NetworkPart) -> type | None:
    """Return the class of the user's record behind a part, whose code may fail in any way."""
    match part.what:
        case OpaqueNetwork(architecture):
            return type(architecture)
        case SubStagePlace(substage) if type(substage) not in BUILT_IN.values():
            return type(substage)
    return None


def cost(network: nn.Module, input_shape: Shape) -> Cost:
    """Return the cost of one image `(C, H, W)` through any network, which is left unchanged.

    Raises `ArchitectureError` if the network runs a matrix product of an unknown kind.
    """
    image = torch.empty(1, *input_shape, device="meta")
    return count(copy.deepcopy(network).to("meta"), image)


class Buildable(Protocol):
    """A network that is not built yet: an exported architecture or a reference network."""

    @property
    def input_shape(self) -> Shape:
        """Channels, height and width of its images."""

    def build(self) -> nn.Module:
        """Return the network."""


def cost_of(network: Buildable) -> Cost:
    """Return the cost of one image through a network, built without memory for its weights."""
    with torch.device("meta"):
        return cost(network.build(), network.input_shape)


def device_values(network: Buildable) -> dict[str, float]:
    """Return what a device needs for a network in int8, by metric; empty where it cannot run it."""
    ones = [1.0] * network.input_shape[0]
    with torch.device("meta"), suppress(UnsupportedOperationError):
        classifier = Classifier(network.build(), ones, ones)
        graph = fuse(lower(classifier, torch.empty(1, *network.input_shape)))
        return {name: needed(graph) for name, needed in DEVICE.items()}
    return {}


def count(module: nn.Module, *inputs: Tensor | list[Tensor]) -> Cost:
    """Return the cost of a module on the meta device; puts it into eval mode."""
    return _run(module, *inputs)[0]


def _run(module: nn.Module, *inputs: Tensor | list[Tensor]) -> tuple[Cost, object]:
    """Return the cost of a module, and its output."""
    with torch.no_grad(), Counter() as counter:
        output = module.eval()(*inputs)
    params = sum(parameter.numel() for parameter in module.parameters())
    return Cost(counter.macs, params, counter.activations), output


class Counter(DispatchMode):
    """Sums the MACs and output elements of every matrix product that runs inside the context."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0
        self.activations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and count it; a composite operation is decomposed first."""
        formula = FORMULAS.get(func.overloadpacket)
        if formula is None:
            with self:
                apart = func.decompose(*args, **(kwargs or {}))
            if apart is not NotImplemented:
                return apart
            refuse_product(func)
        out = func(*args, **(kwargs or {}))
        if formula is not None:
            macs, activations = formula(args, out)
            self.macs += macs
            self.activations += activations
        return out


def refuse_product(func: Any) -> None:
    """Refuse an operation that may contain a matrix product without a counting rule."""
    space, _, name = func.name().partition("::")
    name = name.split(".")[0]
    if space == "aten" and (HARMLESS.search(name) or not PRODUCT.search(name)):
        return
    raise OwnCodeError(  # the toolkit's own layers contain no such operation
        f"operation `{space}::{name}` may hold a matrix product that the cost counter does not "
        f"know: write it with matmul, convolutions or scaled_dot_product_attention."
    )


def product(left: Tensor, right: Tensor) -> tuple[int, int]:
    """Return the MACs and output elements of `(..., n, k) @ (..., k, m)`."""
    return left.numel() * right.shape[-1], prod(left.shape[:-1]) * right.shape[-1]


def convolution(args: Any, out: Tensor) -> tuple[int, int]:
    """Return the MACs and output elements of a convolution.

    Each output element (transposed: input element) is multiplied by one filter.
    """
    source, weight, transposed = args[0], args[1], args[6]
    each = source if transposed else out
    return each.numel() * prod(weight.shape[1:]), out.numel()


def attention(args: Any, _: Any) -> tuple[int, int]:
    """Return the MACs and output elements of `q @ k.mT` and of its product with the values.

    The count does not depend on which kernel computes them.
    """
    query, keys, value = args[:3]
    scores = prod(query.shape[:-1]) * keys.shape[-2]
    macs = scores * (query.shape[-1] + value.shape[-1])
    return macs, scores + prod(query.shape[:-1]) * value.shape[-1]


FORMULAS: dict[Any, Callable[[Any, Any], tuple[int, int]]] = {
    aten.mm: lambda args, _: product(args[0], args[1]),
    aten.bmm: lambda args, _: product(args[0], args[1]),
    aten.addmm: lambda args, _: product(args[1], args[2]),
    aten.baddbmm: lambda args, _: product(args[1], args[2]),
    aten.mv: lambda args, _: (args[0].numel(), args[0].shape[0]),
    aten.dot: lambda args, _: (args[0].numel(), 1),
    aten.convolution: convolution,
    aten._scaled_dot_product_flash_attention: attention,
    aten._scaled_dot_product_flash_attention_for_cpu: attention,
    aten._scaled_dot_product_efficient_attention: attention,
    aten._scaled_dot_product_cudnn_attention: attention,
}


def _peak_memory_of(architecture: Any, input_shape: Shape, outputs: int) -> int:
    with torch.device("meta"):
        return peak_memory(build(architecture, input_shape, outputs), input_shape)


WHOLE: Mapping[str, Callable[[Any, Shape, int], float]] = {"peak_memory": _peak_memory_of}
"""The counted metrics of networks that are built whole: of architecture, images and classes."""

DEVICE: Mapping[str, Callable[[Graph], float]] = {"ram": arena, "flash": file_size}
"""The counted metrics of what a device runs, the int8 graph that is joined from parts."""

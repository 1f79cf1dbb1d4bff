"""The int8 part of a trained model, kept beside its float weights in the same file."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from neptune_nas.deploy.quantised_graph import IntegerWeights, QuantisedGraph, Scale
from neptune_nas.errors import FileFormatError
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.graph import WITH_WEIGHTS, Graph, Operation
from neptune_nas.graphs.lowering import lower
from neptune_nas.models.model import Model
from neptune_nas.nn.classifier import Classifier

_STEPS, _ZEROS = "steps", "zero_points"  # of the maps, in the order of the values' numbers
_PARTS = {"weight": torch.int8, "bias": torch.int32, "steps": torch.float64}


def with_int8(model: Model, quantised: QuantisedGraph) -> Model:
    """Return a model with a network in int8 as its int8 part."""
    scales = [quantised.scales[value] for value in sorted(quantised.scales)]
    tensors = {
        _STEPS: torch.tensor([scale.step for scale in scales], dtype=torch.float64),
        _ZEROS: torch.tensor([scale.zero_point for scale in scales], dtype=torch.int8),
    }
    for value, weights in quantised.weights.items():
        for part in _PARTS:
            tensors[f"{value}.{part}"] = getattr(weights, part).contiguous()
    return replace(model, int8=tensors)


def quantised_of(model: Model) -> QuantisedGraph | None:
    """Return the network in int8 that a model holds, or None for a model without an int8 part.

    Its graph follows from the model's network, and has no weights in floating point. Raises
    `FileFormatError` for a part that does not fit it.
    """
    if not model.int8:
        return None
    with torch.device("meta"):
        network = model.of.build(seed=0)
    classifier = Classifier(network, model.mean, model.std).to("meta")
    graph = fuse(lower(classifier, torch.empty(1, *model.input_shape, device="meta")))
    values = sorted(graph.shapes)
    steps = _tensor(model.int8, _STEPS, (len(values),), torch.float64)
    zeros = _tensor(model.int8, _ZEROS, (len(values),), torch.int8)
    _check_steps(_STEPS, steps)
    pairs = zip(values, steps.tolist(), zeros.tolist(), strict=True)
    scales = {value: Scale(step, zero) for value, step, zero in pairs}
    return QuantisedGraph(graph, scales, dict(_weights(model.int8, graph)))


def _weights(tensors: Mapping[str, Tensor], graph: Graph) -> Mapping[int, IntegerWeights]:
    """Return the weights of each operation that has some, checked against its shapes."""
    found: dict[int, IntegerWeights] = {}
    wanted = {_STEPS, _ZEROS}
    for operation in graph.operations:
        if operation.kind in WITH_WEIGHTS:
            shapes = _shapes(operation, graph)
            names = {part: f"{operation.output}.{part}" for part in _PARTS}
            found[operation.output] = IntegerWeights(
                **{
                    part: _tensor(tensors, name, shapes[part], _PARTS[part])
                    for part, name in names.items()
                }
            )
            _check_steps(names[_STEPS], found[operation.output].steps)
            wanted |= {*names.values()}
    for name in sorted({*tensors} - wanted):
        raise FileFormatError(f"the int8 part of a model does not fit it: `{name}` is not in it.")
    return found


def _check_steps(name: str, steps: Tensor) -> None:
    """Refuse steps that are no numbers above 0 in float32, in which files hold them."""
    small = steps.float()
    if not (small.isfinite() & (small > 0)).all():
        raise FileFormatError(f"`int8.{name}` of a model must be above 0 and finite.")


def _shapes(operation: Operation, graph: Graph) -> Mapping[str, tuple[int, ...]]:
    """Return the shapes of an operation's weight, bias and steps."""
    source, target = (graph.shapes[n] for n in (operation.inputs[0], operation.output))
    channels, read = target[-1], source[-1]
    weight: tuple[int, ...] = (channels, read)
    if operation.kind != "linear":
        weight = (channels, 1 if operation.kind == "depthwise" else read, *operation.kernel)
    return {"weight": weight, "bias": (channels,), "steps": (channels,)}


def _tensor(
    tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...], dtype: torch.dtype
) -> Tensor:
    """Return a tensor of the int8 part; refuse one that is missing, or of another form."""
    found = tensors.get(name)
    if found is None or found.shape != shape or found.dtype != dtype:
        got = "is missing" if found is None else f"is {found.dtype} {tuple(found.shape)}"
        raise FileFormatError(
            f"the int8 part of a model does not fit it: `{name}` must be {dtype} {shape}, but "
            f"{got}: train it again with `int8` (--int8)."
        )
    return found

"""The graph of a model, or the place of what no kernel runs."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from neptune_nas.deploy.execution import run_float
from neptune_nas.deploy.int8_model import quantised_of
from neptune_nas.deploy.quantisation import quantise
from neptune_nas.deploy.quantised_graph import QuantisedGraph
from neptune_nas.errors import ArchitectureError, NeptuneError
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.graph import Graph
from neptune_nas.graphs.joining import GraphModel
from neptune_nas.graphs.lowering import UnsupportedOperationError, lower
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.models.model import Model
from neptune_nas.nn.builder import seeded

_TOLERANCE = 1e-3  # of a logit, absolute and relative: norms are folded into weights


def graph_of(model: Model) -> Graph:
    """Return the fused graph of a model with its weights: images in 0..1 to logits.

    Raises `UnsupportedOperationError` for an operation without a kernel, naming its place, and
    `NeptuneError` where the graph computes something else than the network.
    """
    classifier = model.classifier()
    try:
        graph = fuse(lower(classifier, torch.zeros(1, *model.input_shape)))
    except ArchitectureError as error:
        remedy = "the format onnx can hold this network."
        try:
            _check_parts(model)
        except UnsupportedOperationError as located:
            raise UnsupportedOperationError(f"{located}: {remedy}") from error
        raise UnsupportedOperationError(f"{error}: {remedy}") from error
    _check_same(model, graph, classifier)
    return graph


def int8_graph_of(model: Model, batches: Iterable[Tensor]) -> QuantisedGraph:
    """Return a model in int8: the int8 part that it was trained with, else calibrated on batches.

    `batches`: images `(N, C, H, W)` in 0..1. Raises as `graph_of` does.
    """
    return quantised_of(model) or quantise(graph_of(model), batches)


def _check_same(model: Model, graph: Graph, classifier: nn.Module) -> None:
    """Refuse a graph that is not its network: an int8 file is compared with the graph alone."""
    with seeded(0), torch.inference_mode():
        images = torch.rand(1, *model.input_shape)
        wanted, found = classifier.eval()(images), run_float(graph, images)
    if not torch.allclose(found, wanted, _TOLERANCE, _TOLERANCE):
        raise NeptuneError(
            f"network {model.key} computes something that the formats of devices cannot express "
            f"(its logits are off by {(found - wanted).abs().max().item():.2g}): use onnx."
        )


def _check_parts(model: Model) -> None:
    """Refuse the first part of an architecture that has no graph, with its place and record."""
    if isinstance(model.of, ExportedArchitecture):
        GraphModel(model.input_shape, model.of.classes).graph(model.of.architecture)

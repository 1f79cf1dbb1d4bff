"""The graph of an architecture, joined from the graphs of its parts.

Each part is lowered once, without weights; no network is built as a whole. A property test holds
the joined graph to that of the built network.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import cached_property
from math import prod

import torch
from torch import nn

from neptune_nas.architecture.codec import BUILT_IN
from neptune_nas.architecture.dense_heads import DETECTION
from neptune_nas.architecture.records import (
    Architecture,
    Head,
    Identity,
    Network,
    Stage,
    level_places,
    resolve_connections,
)
from neptune_nas.graphs.fusion import finish, merge, pad
from neptune_nas.graphs.graph import Graph, MapShape, Operation
from neptune_nas.graphs.lowering import UnsupportedOperationError, lower
from neptune_nas.nn.builder import (
    DensePlace,
    EntryPart,
    NetworkPart,
    OpaqueNetwork,
    Shape,
    SubStagePlace,
    build_part,
    parts,
)
from neptune_nas.nn.classifier import Classifier

_LARGE = 1 << 17  # numbers in a map: smaller ones are computed faster than torch infers a shape
_COSTLY = 1 << 25  # weights times pixels, which bounds what a part computes and writes


class GraphModel:
    """Fused graphs of architectures for images `(C, H, W)` that are normalised inside.

    At most `remembered` parts are cached; then the cache is cleared. `weights` returns how many
    weights a part has, or None if that is not known before it is built; knowing it saves time.
    """

    def __init__(
        self,
        input_shape: Shape,
        outputs: int,
        remembered: int = 100_000,
        weights: Callable[[NetworkPart], int | None] = lambda _: None,
    ) -> None:
        self.input_shape, self.outputs, self.remembered = input_shape, outputs, remembered
        self.weights = weights
        self.known: dict[NetworkPart, Graph | UnsupportedOperationError] = {}

    @cached_property
    def normalisation(self) -> Graph:
        """The operations of a `Classifier` before its network."""
        channels = self.input_shape[0]
        with torch.device("cpu" if prod(self.input_shape) < _LARGE else "meta"):
            classifier = Classifier(nn.Identity(), [0.0] * channels, [1.0] * channels)
            lowered = lower(classifier, torch.empty(1, *self.input_shape))
        return merge(lowered.without_weights())

    def graph(self, architecture: Architecture | Network) -> Graph:
        """Return the operations that a device runs for one image, without their weights.

        Raises `UnsupportedOperationError`, which names the part, for one without an int8 kernel,
        and `ArchitectureError` where the images are too small.
        """
        _refuse_boxes(architecture)
        found = parts(architecture, self.input_shape, self.outputs)
        graphs = iter([self.of_part(part) for part in found])
        joint = _Joint()
        images = joint.value(self.normalisation.shapes[0])
        output = joint.append(self.normalisation, [images])
        maps = [joint.append(next(graphs), [output])]  # of the stem, then of each stage
        if isinstance(architecture, Architecture):
            for stage in architecture.stages:
                maps.append(joint.append_stage(stage, graphs, maps[-1]))
            maps.append(self._append_head(joint, architecture, next(graphs), maps))
        output = maps[-1]
        return finish(merge(Graph(joint.shapes, tuple(joint.operations), (images,), output)))

    def _append_head(
        self, joint: "_Joint", architecture: Architecture, graph: Graph, maps: Sequence[int]
    ) -> int:
        """Append a head, which reads one map or several; return the output, as large as it gets."""
        head = architecture.head
        if isinstance(head, Head):
            return joint.append(graph, maps[-1:])
        places = level_places(architecture)[: head.levels]
        output = joint.append(graph, [maps[place] for place in places])
        *sides, channels = joint.shapes[output]
        if tuple(sides) == self.input_shape[1:]:
            return output
        enlarged = joint.value((*self.input_shape[1:], channels))
        joint.operations.append(Operation("resize", (output,), enlarged))
        return enlarged

    def of_part(self, part: NetworkPart) -> Graph:
        """Return the operations of one part, lowered at its first use."""
        known = self.known.get(part)
        if known is None:
            if len(self.known) >= self.remembered:
                self.known.clear()
            known = self.known[part] = _lowered(part, self.weights(part))
        if isinstance(known, UnsupportedOperationError):
            raise UnsupportedOperationError(f"{part.name}: {_content(part)}: {known}")
        return known


def _refuse_boxes(architecture: Architecture | Network) -> None:
    """Refuse a network for detection, whose points no runtime computes in int8."""
    if isinstance(architecture, Architecture) and architecture.head.task == DETECTION:
        raise UnsupportedOperationError(
            f"head: {type(architecture.head).__name__}: {architecture.head.task} in int8 is not "
            f"supported: choose a target without int8, and leave RAM and flash out of objectives "
            f"and limits."
        )


def _content(part: NetworkPart) -> str:
    """Return what a part consists of, by the names of its records."""
    match part.what:
        case EntryPart() as entry:
            return f"{type(entry.entry).__name__}, pool '{entry.pool}' and norm '{entry.norm}'"
        case SubStagePlace() as place:
            return f"{type(place.substage).__name__} with norm '{place.norm}'"
        case OpaqueNetwork(architecture):
            return type(architecture).__name__
        case DensePlace(head):
            return type(head).__name__
    return type(part.what).__name__


def _is_built_in(part: NetworkPart) -> bool:
    """Return whether no code of a user's builds a part, which may hold tensors of its own."""
    match part.what:
        case OpaqueNetwork():
            return False
        case SubStagePlace(substage):
            return type(substage) in BUILT_IN.values()
    return True


def _is_light(part: NetworkPart, weights: int) -> bool:
    """Return whether a part is computed at once, whatever sizes a file from elsewhere gave it."""
    is_small = prod(part.shape) < _LARGE and weights * prod(part.shape[1:]) < _COSTLY
    return is_small and _is_built_in(part)


def _module(part: NetworkPart, weights: int | None) -> tuple[nn.Module, str]:
    """Return the module of a part, on the device that lowers it fastest, and that device."""
    if weights is not None and _is_light(part, weights):
        return build_part(part), "cpu"
    with torch.device("meta"):
        module = build_part(part)
    if not _is_light(part, sum(each.numel() for each in module.parameters())):
        return module, "meta"
    return module.to_empty(device="cpu"), "cpu"


def _lowered(part: NetworkPart, weights: int | None) -> Graph | UnsupportedOperationError:
    """Return the merged operations of a part, or why it has none."""
    try:
        module, device = _module(part, weights)
        with torch.device("meta") if device == "meta" else nullcontext():
            lowered = lower(module, part.inputs(torch.zeros))
        graph = pad(merge(lowered.without_weights(), is_part=True))
        finish(graph)  # what it refuses is to be refused with the part's name
        return graph
    except UnsupportedOperationError as error:
        return error.with_traceback(None)  # which would keep the network


class _Joint:
    """The operations appended so far, and the shape of each value."""

    def __init__(self) -> None:
        self.shapes: dict[int, MapShape] = {}
        self.operations: list[Operation] = []

    def value(self, shape: MapShape) -> int:
        """Return the number of a new value."""
        number = len(self.shapes)
        self.shapes[number] = shape
        return number

    def append(self, graph: Graph, sources: Sequence[int]) -> int:
        """Append the operations of a part that reads `sources`; return its output."""
        numbers = dict(zip(graph.inputs, sources, strict=True))
        for each in graph.operations:
            numbers[each.output] = output = self.value(graph.shapes[each.output])
            inputs = tuple([numbers[number] for number in each.inputs])
            self.operations.append(each.moved(inputs, output))
        return numbers[graph.output]

    def append_stage(self, stage: Stage, graphs: Iterator[Graph], source: int) -> int:
        """Append the parts of a stage, each with its shortcut; return the stage's output."""
        outputs = [self.append(next(graphs), [source])]
        for substage, read in zip(stage.substages, resolve_connections(stage), strict=True):
            sources = [outputs[number] for number in read]
            output = self.append(next(graphs), sources)
            if stage.connections == "residual" and not isinstance(substage, Identity):
                total = self.value(self.shapes[output])
                self.operations.append(Operation("add", (sources[0], output), total))
                output = total
            outputs.append(output)
        return outputs[-1]

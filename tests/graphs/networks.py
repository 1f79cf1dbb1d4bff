"""Architectures that a device can run, and a user's own records, for the tests of graphs."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from neptune_nas.architecture.dense_heads import DecoderHead, LrasppHead
from neptune_nas.architecture.records import (
    POOLS,
    Architecture,
    Conv,
    Head,
    Identity,
    InvertedResidual,
    Stage,
    Stem,
    level_places,
)
from neptune_nas.deploy.quantisation import quantise
from neptune_nas.deploy.tflite import int8_file
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.graph import Graph
from neptune_nas.graphs.lowering import lower
from neptune_nas.nn.builder import Shape, build
from neptune_nas.nn.classifier import Classifier
from tests.strategies import STRIDES, WIDTHS, connections

KERNELS = st.sampled_from((1, 3, 5))


@dataclass(frozen=True)
class Scaled:
    """A user's SubStage: a batch norm, a ReLU6 and a hard-swish."""

    def build(self, width: int) -> nn.Module:
        """Return the module."""
        return nn.Sequential(nn.BatchNorm2d(width), nn.ReLU6(), nn.Hardswish())


@dataclass(frozen=True)
class Gated:
    """A user's SubStage: a squeeze-and-excitation."""

    def build(self, width: int) -> nn.Module:
        """Return the module."""
        return _Gate(width)


class _Gate(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.excite = nn.Conv2d(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(N, C, H, W)` to the same shape."""
        return x * torch.sigmoid(self.excite(x.mean((2, 3), keepdim=True)))


@dataclass(frozen=True)
class Perceptron:
    """A user's network: two linear layers on the mean pixel, in halves; `bend`: between them."""

    width: int = 8
    bend: str = "ReLU"

    def build(self, input_shape: Shape, outputs: int) -> nn.Module:
        """Return the network."""
        first = nn.Conv2d(input_shape[0], self.width, 3, stride=2)
        middle = (nn.Flatten(), nn.Linear(self.width, self.width), getattr(nn, self.bend)())
        return nn.Sequential(
            first, nn.AdaptiveAvgPool2d(1), *middle, nn.Linear(self.width, outputs)
        )


SUBSTAGES: st.SearchStrategy[Any] = st.one_of(
    st.builds(Conv, KERNELS, st.sampled_from((1, "depthwise"))),
    st.builds(InvertedResidual, KERNELS, st.integers(1, 3)),
    st.sampled_from((Identity(), Scaled(), Gated())),
)
ENTRIES: st.SearchStrategy[Any] = st.one_of(
    st.builds(Conv, KERNELS),
    st.builds(InvertedResidual, KERNELS, st.integers(1, 3)),
    st.just(Identity()),
)


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    """Return a stage of up to three SubStages that a device can run."""
    inside = tuple(draw(st.lists(SUBSTAGES, max_size=3)))
    return Stage(
        width=draw(WIDTHS),
        entry=draw(ENTRIES),
        stride=draw(STRIDES),
        pool=draw(st.sampled_from(POOLS)),
        norm=draw(st.sampled_from(("batch", "none"))),
        connections=draw(connections(len(inside))),
        substages=inside,
    )


HEADS: st.SearchStrategy[Any] = st.one_of(
    st.builds(Head, st.sampled_from((0, 9))),
    st.builds(LrasppHead, WIDTHS),
    st.builds(
        DecoderHead,
        WIDTHS,
        st.integers(1, 2),
        st.sampled_from(("add", "concat")),
        KERNELS,
        st.sampled_from((1, "depthwise")),
    ),
)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """Return a network for classification, or for segmentation if it has enough resolutions."""
    stem = draw(st.builds(Stem, WIDTHS, KERNELS, st.sampled_from((1, 2))))
    body = Architecture(stem, tuple(draw(st.lists(stages(), min_size=1, max_size=2))))
    head = draw(HEADS)
    reads_enough = isinstance(head, Head) or head.levels <= len(level_places(body))
    return replace(body, head=head) if reads_enough else body


ARCHITECTURES = architectures()
SIDES = st.tuples(st.sampled_from((1, 3)), st.integers(32, 36), st.integers(32, 40))
"""Channels, height and width of images that are large enough."""


def lowered(architecture: Any, shape: Shape, outputs: int) -> Graph:
    """Return the fused graph of the built network, with random weights."""
    network = build(architecture, shape, outputs, seed=0)
    classifier = Classifier(network, [0.5] * shape[0], [0.25] * shape[0])
    return fuse(lower(classifier, torch.rand(1, *shape)))


def file_of(graph: Graph) -> bytes:
    """Return the lean int8 file of a graph with weights."""
    height, width, channels = graph.shapes[graph.inputs[0]]
    return int8_file(quantise(graph, [torch.rand(1, channels, height, width)]))


def numbered(graph: Graph) -> Graph:
    """Return a graph whose values are numbered in the order in which they are written."""
    written = (*graph.inputs, *(each.output for each in graph.operations))
    numbers = {value: number for number, value in enumerate(written)}
    return Graph(
        {numbers[value]: shape for value, shape in graph.shapes.items()},
        tuple(
            each.moved(tuple(numbers[value] for value in each.inputs), numbers[each.output])
            for each in graph.operations
        ),
        tuple(numbers[value] for value in graph.inputs),
        numbers[graph.output],
    )

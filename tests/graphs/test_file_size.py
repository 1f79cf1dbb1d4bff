"""The counted size of a file against the one that is written."""

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from neptune_nas.architecture.records import Architecture
from neptune_nas.graphs.file_size import file_size
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.joining import GraphModel
from neptune_nas.graphs.lowering import lower
from neptune_nas.nn.builder import Shape
from tests.graphs.networks import ARCHITECTURES, SIDES, Perceptron, file_of, lowered


@settings(max_examples=25)
@given(ARCHITECTURES, SIDES)
def test_the_size_is_that_of_the_written_file(architecture: Architecture, shape: Shape) -> None:
    counted = file_size(GraphModel(shape, 5).graph(architecture))
    assert counted == len(file_of(lowered(architecture, shape, 5)))


@pytest.mark.parametrize("bend", ["ReLU", "ReLU6", "Sigmoid", "Hardswish"])
def test_the_size_of_a_users_network_is_too(bend: str) -> None:
    graph = lowered(Perceptron(width=7, bend=bend), (3, 9, 8), 4)
    assert file_size(graph) == len(file_of(graph))


@pytest.mark.parametrize(
    "layers",
    [
        (nn.Conv2d(3, 6, 3, groups=3), nn.MaxPool2d(2), nn.ReLU()),
        (nn.ReLU6(), nn.Conv2d(3, 5, 1), nn.ReLU6()),
        (nn.Conv2d(3, 5, 3, 2, 1), nn.MaxPool2d((2, 1)), nn.Conv2d(5, 5, 5, 1, 2, groups=5)),
    ],
)
def test_each_kind_of_operation_is_counted(layers: tuple[nn.Module, ...]) -> None:
    graph = fuse(lower(nn.Sequential(*layers), torch.rand(1, 3, 12, 13)))
    assert file_size(graph) == len(file_of(graph))


def test_weights_are_most_of_a_large_file() -> None:
    graph = fuse(lower(nn.Conv2d(64, 256, 3), torch.rand(1, 64, 8, 8)))
    assert 0 < file_size(graph) - (64 * 256 * 9 + 256 * (4 + 12)) < 1_000

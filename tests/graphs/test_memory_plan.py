"""Where maps lie, and the whole arena against what tflite-micro records."""

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from neptune_nas.architecture.records import Architecture
from neptune_nas.deploy.runtimes import recorded_arena
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.graph import Graph, Operation
from neptune_nas.graphs.joining import GraphModel
from neptune_nas.graphs.lowering import lower
from neptune_nas.graphs.memory_plan import arena, peak, plan, runtime_memory
from neptune_nas.nn.builder import Shape
from tests.graphs.networks import ARCHITECTURES, SIDES, Perceptron, file_of, lowered


def chain(*sizes: int) -> Graph:
    """Return a graph of operations that each read the value before."""
    operations = tuple(Operation("relu", (i,), i + 1) for i in range(len(sizes) - 1))
    return Graph(dict(enumerate((size,) for size in sizes)), operations, (0,), len(sizes) - 1)


def test_two_neighbours_lie_side_by_side_and_others_share_their_memory() -> None:
    maps = plan(chain(64, 32, 48, 16))
    assert [(each.start, each.end) for each in maps] == [(0, 0), (0, 1), (1, 2), (2, 2)]
    assert [each.offset for each in maps] == [0, 64, 0, 48]
    assert peak(maps) == 96


def test_of_equal_maps_the_later_is_placed_first() -> None:
    assert [each.offset for each in plan(chain(32, 32, 32))] == [0, 32, 0]


def test_sizes_are_rounded_up_to_16_bytes() -> None:
    assert [each.size for each in plan(chain(1, 17))] == [16, 32]


def test_a_map_that_is_read_again_stays_in_memory() -> None:
    operations = (
        Operation("relu", (0,), 1),
        Operation("relu", (1,), 2),
        Operation("add", (0, 2), 3),
    )
    maps = plan(Graph(dict.fromkeys(range(4), (16,)), operations, (0,), 3))
    assert (maps[0].start, maps[0].end) == (0, 2)
    assert peak(maps) == 48


@settings(max_examples=25)
@given(ARCHITECTURES, SIDES)
def test_maps_of_the_same_time_never_overlap(architecture: Architecture, shape: Shape) -> None:
    maps = plan(GraphModel(shape, 5).graph(architecture))
    for one, other in combinations(maps, 2):
        if one.start <= other.end and other.start <= one.end:
            assert one.top <= other.offset or other.top <= one.offset


@settings(max_examples=25)
@given(ARCHITECTURES, SIDES)
def test_the_arena_is_what_tflite_micro_records(architecture: Architecture, shape: Shape) -> None:
    counted = arena(GraphModel(shape, 5).graph(architecture))
    assert counted == recorded_arena(file_of(lowered(architecture, shape, 5)))


@pytest.mark.parametrize("bend", ["ReLU", "ReLU6", "Sigmoid", "Hardswish"])
def test_the_arena_of_a_users_network_is_too(bend: str) -> None:
    graph = lowered(Perceptron(bend=bend), (3, 9, 8), 4)
    assert arena(graph) == recorded_arena(file_of(graph))


def test_the_maps_are_most_of_an_arena_where_images_are_large() -> None:
    graph = fuse(lower(nn.Conv2d(3, 8, 3, padding=1), torch.rand(1, 3, 96, 96)))
    assert peak(plan(graph)) == 96 * 96 * 11
    assert runtime_memory(graph) == 1_056

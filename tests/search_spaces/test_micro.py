"""The spaces for microcontrollers: int8 kernels for every operation, and the sizes that matter."""

import pytest
import torch

from neptune_nas import Architecture, Conv, Head, InvertedResidual, Stage, Stem
from neptune_nas.architecture.fields import record_classes
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.graph import Graph
from neptune_nas.graphs.lowering import lower
from neptune_nas.graphs.memory_plan import peak, plan
from neptune_nas.metrics.counted import CostModel
from neptune_nas.nn.builder import Shape, build
from neptune_nas.nn.classifier import Classifier
from neptune_nas.space import find_space
from tests.search_spaces.test_shipped import SHAPES, samples

RGB = (3, 32, 32)
KINDS = {"conv", "depthwise", "linear", "add", "mul", "average_pool", "relu", "sigmoid"}


def int8_graph(architecture: Architecture, shape: Shape) -> Graph:
    with torch.device("meta"):
        network = Classifier(build(architecture, shape, 10), [0.5] * 3, [0.2] * 3)
    return fuse(lower(network, torch.empty(1, *shape, device="meta")))


def stage(width: int, stride: int, block: object, count: int = 1) -> Stage:
    return Stage(width, block, stride, "none", "batch", "residual", (block,) * count)


RESNET_8 = Architecture(
    Stem(16), (stage(16, 1, Conv(3)), stage(32, 2, Conv(3)), stage(64, 2, Conv(3)))
)
BLOCK = InvertedResidual(3, 3, 4)
TINY = Architecture(
    Stem(8, stride=2),
    (
        stage(8, 1, InvertedResidual(3, 1)),
        stage(16, 2, InvertedResidual(3, 1)),
        stage(32, 2, BLOCK),
    ),
    Head(64),
)


@pytest.mark.parametrize(("name", "count"), [("micro", 4), ("micro96", 1)])
def test_every_network_lowers_to_operations_with_int8_kernels(name: str, count: int) -> None:
    for architecture in samples(name, count):
        graph = int8_graph(architecture, SHAPES[name])
        assert {each.kind for each in graph.operations} <= KINDS
        assert graph.shapes[graph.output] == (10,)


def test_networks_of_mlperf_tinys_size_are_in_it() -> None:
    space = find_space("micro")
    assert RESNET_8 in space
    cost = CostModel(RGB, 10).cost(RESNET_8)
    assert cost.macs == pytest.approx(12.5e6, rel=0.05)  # it has no convolutions as shortcuts
    assert cost.params == pytest.approx(78e3, rel=0.05)


def test_a_network_of_half_their_memory_is_in_it() -> None:
    assert TINY in find_space("micro")
    assert peak(plan(int8_graph(TINY, RGB))) <= 31 * 1024
    assert CostModel(RGB, 10).cost(TINY).params <= 38_000


def test_the_larger_space_has_a_further_stage() -> None:
    small, large = find_space("micro"), find_space("micro96")
    assert {len(each.stages) for each in samples("micro", 10)} == {3, 4}
    assert {len(each.stages) for each in samples("micro96", 10)} == {4, 5}
    assert record_classes(small.template) == record_classes(large.template)

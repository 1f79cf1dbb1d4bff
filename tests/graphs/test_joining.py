"""Graphs joined from parts are those of the built networks."""

import pytest
from hypothesis import given, settings

from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Stage,
    Stem,
)
from neptune_nas.errors import ArchitectureError
from neptune_nas.graphs.joining import GraphModel
from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.graphs.memory_plan import plan
from neptune_nas.nn.builder import Shape
from tests.graphs.networks import (
    ARCHITECTURES,
    SIDES,
    Gated,
    Perceptron,
    Scaled,
    lowered,
    numbered,
)

SHAPE = (3, 16, 16)


@settings(max_examples=25)
@given(ARCHITECTURES, SIDES)
def test_a_joined_graph_is_that_of_the_built_network(
    architecture: Architecture, shape: Shape
) -> None:
    joined, whole = GraphModel(shape, 5).graph(architecture), lowered(architecture, shape, 5)
    assert numbered(joined) == numbered(whole)
    assert plan(numbered(joined)) == plan(numbered(whole))


def test_a_users_own_network_is_one_part() -> None:
    model = GraphModel(SHAPE, 5)
    joined = model.graph(Perceptron())
    assert numbered(joined) == numbered(lowered(Perceptron(), SHAPE, 5))
    assert [part.name for part in model.known] == ["network"]


def test_norms_and_activations_join_the_part_before() -> None:
    stage = Stage(
        8, Conv(3), pool="none", norm="none", substages=(Scaled(), Conv(3)), connections="chain"
    )
    operations = GraphModel(SHAPE, 5).graph(Architecture(Stem(8), (stage,))).operations
    assert [(each.kind, each.activation) for each in operations[:4]] == [
        ("depthwise", "none"),
        ("conv", "relu"),  # the stem's, and that of the entry's beginning
        ("conv", "relu6"),
        ("hard_swish", "none"),
    ]


def test_equal_parts_are_lowered_once() -> None:
    stage = Stage(8, Conv(3), pool="none", norm="batch", substages=(Conv(3),) * 5)
    model = GraphModel(SHAPE, 5)
    model.graph(Architecture(Stem(8), (stage, stage)))
    assert len(model.known) == 4  # stem, entry, SubStage, head
    first = {id(graph) for graph in model.known.values()}
    model.graph(Architecture(Stem(8), (stage,)))
    assert {id(graph) for graph in model.known.values()} == first


def test_few_parts_are_remembered_where_few_should_be() -> None:
    model = GraphModel(SHAPE, 5, remembered=2)
    architecture = Architecture(Stem(8), (Stage(8, Conv(3), norm="batch"),))
    assert model.graph(architecture) == GraphModel(SHAPE, 5).graph(architecture)
    assert len(model.known) <= 2


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage(8, Conv(3), norm="lrn"), r"^stages\.1\.entry: Conv, pool 'max' and norm 'lrn': op"),
        (
            Stage(8, Conv(3), norm="batch", substages=(Gated(), Attention(2))),
            r"^stages\.1\.substages\.1: Attention with norm 'batch': a change of shape",
        ),
        (
            Stage(8, Conv(3), norm="none", substages=(FeedForward(),)),
            r"^stages\.1\.substages\.0: FeedForward with norm 'none': operation 'gelu' has no int8",
        ),
    ],
)
def test_a_part_without_an_int8_kernel_is_named(stage: Stage, message: str) -> None:
    model = GraphModel(SHAPE, 5)
    architecture = Architecture(Stem(8), (Stage(8, Conv(3), norm="batch"), stage))
    for _ in range(2):  # the second time from what is remembered
        with pytest.raises(UnsupportedOperationError, match=message):
            model.graph(architecture)


def test_a_users_network_without_an_int8_kernel_is_named() -> None:
    with pytest.raises(UnsupportedOperationError, match=r"^network: Perceptron: operation 'gelu'"):
        GraphModel(SHAPE, 5).graph(Perceptron(bend="GELU"))


def test_images_that_are_too_small_are_refused() -> None:
    deep = Architecture(Stem(8), (Stage(8, Conv(3), norm="batch"),) * 5)
    with pytest.raises(ArchitectureError, match="needs images of at least 32x32 pixels"):
        GraphModel(SHAPE, 5).graph(deep)


def test_sizes_that_no_machine_has_are_counted() -> None:
    wide = Architecture(Stem(2**31 - 1), (Stage(8, norm="batch"),))
    assert max(map(max, GraphModel(SHAPE, 5).graph(wide).shapes.values())) == 2**31 - 1

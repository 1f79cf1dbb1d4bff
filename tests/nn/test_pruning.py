"""The pruning of networks in depth and width."""

from typing import Any

import pytest
import torch
from torch import nn

from neptune_nas import Architecture, Stage, Stem, build
from neptune_nas.errors import ArchitectureError, NeptuneError
from neptune_nas.metrics.counted import CostModel, cost
from neptune_nas.nn.model_zoo import ZOO, Pruned, TorchvisionModel
from tests.nn.contract_network import OUTPUTS, NetworkContract
from tests.nn.plain import Plain

SHAPE = (3, 16, 16)


class TestPrunedPlain(NetworkContract):
    """A user's own network with fewer channels."""

    allow = (*ZOO, Plain)

    def record(self) -> Pruned:
        return Pruned(Plain(8, 3), width=0.5)

    def wider(self) -> Pruned:
        return Pruned(Plain(8, 3), width=0.75)


def blocks(depth: float, name: str = "resnet18") -> list[int]:
    """Return how many blocks each stage of a network has left."""
    network: Any = build(Pruned(TorchvisionModel(name), depth=depth), SHAPE, OUTPUTS, 0)
    stages = [getattr(network.network, f"layer{i}") for i in range(1, 5)]
    return [sum(not isinstance(each, nn.Identity) for each in stage) for stage in stages]


@pytest.mark.parametrize(
    ("name", "depth", "left"),
    [
        ("resnet18", 0.5, [1, 1, 1, 1]),
        ("resnet18", 0.01, [1, 1, 1, 1]),
        ("resnet34", 0.5, [2, 2, 3, 2]),
        ("resnet34", 0.75, [3, 3, 5, 3]),
    ],
)
def test_a_share_of_the_blocks_of_each_stage_stays(
    name: str, depth: float, left: list[int]
) -> None:
    assert blocks(depth, name) == left


def test_the_first_blocks_stay_with_their_weights() -> None:
    whole = build(TorchvisionModel("resnet18"), SHAPE, OUTPUTS, 0).state_dict()
    pruned = build(Pruned(TorchvisionModel("resnet18"), depth=0.5), SHAPE, OUTPUTS, 0).state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in pruned.items())
    assert {name.split(".")[2] for name in pruned if ".layer" in name} == {"0"}


@pytest.mark.parametrize(
    "record",
    [
        Pruned(TorchvisionModel("mobilenet_v2", resolution=32), width=0.5, depth=0.5),
        Pruned(TorchvisionModel("squeezenet1_1", resolution=32), width=0.25),
        Pruned(Architecture(Stem(8), (Stage(16, norm="batch"),)), width=0.5),
    ],
    ids=["mobilenet_v2", "squeezenet", "ours"],
)
def test_costs_before_weights_are_those_of_the_network(record: Pruned) -> None:
    model = CostModel(SHAPE, OUTPUTS)
    network = build(record, SHAPE, OUTPUTS, 0)
    assert model.cost(record) == cost(network, SHAPE)
    assert model.cost(record).macs < model.cost(record.network).macs * (record.width + 0.1)
    assert network.train()(torch.rand(2, *SHAPE)).shape == (2, OUTPUTS)


def test_the_channels_with_the_largest_weights_stay() -> None:
    network: Any = build(Plain(8, 1), SHAPE, OUTPUTS, 0)
    norms = network[0].weight.flatten(1).norm(dim=1)
    narrow: Any = build(Pruned(ByChannel(), width=0.5), SHAPE, OUTPUTS, 0)
    assert len(norms) == 8
    assert narrow[0].weight.mean((1, 2, 3)).tolist() == pytest.approx([5, 6, 7, 8])


class ByChannel(Plain):
    """A network whose channels have weights of 1 to 8."""

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        found: Any = Plain(8, 1).build(input_shape, outputs)
        with torch.no_grad():
            for i, channel in enumerate(found[0].weight):
                channel.fill_(i + 1)
                found[-1].weight[:, i] = i + 1
        return found  # type: ignore[no-any-return]  # a module


def test_what_was_frozen_stays_frozen() -> None:
    whole = TorchvisionModel("squeezenet1_1", resolution=32, frozen=0.5)
    learns = [
        {name: each.requires_grad for name, each in build(record, SHAPE, 4, 0).named_parameters()}
        for record in (whole, Pruned(whole, width=0.5))
    ]
    assert learns[0] == learns[1]
    assert {*learns[0].values()} == {True, False}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Pruned(Plain(), depth=0.5), r"Plain\(.*cannot be pruned: it has no stage of several bl"),
        (Pruned(Plain(1), width=0.5), "no layer has channels that can be removed: leave its"),
        (Pruned(TorchvisionModel("shufflenet_v2_x0_5"), width=0.5), "its layers cannot lose chann"),
        (Pruned(TorchvisionModel("vit_b_16", 32), width=0.5), "its attention cannot lose channel"),
    ],
)
def test_a_network_that_cannot_be_pruned_so_is_left_out_with_why(
    record: Pruned, message: str
) -> None:
    with pytest.raises(ArchitectureError, match=message):
        CostModel(SHAPE, OUTPUTS).cost(record)


@pytest.mark.parametrize("values", [{"width": 0.0}, {"width": 1.5}, {"depth": 0.0}, {"depth": -1}])
def test_shares_are_above_0_and_at_most_1(values: dict[str, Any]) -> None:
    with pytest.raises(ArchitectureError, match="must be a number above 0 and at most 1, but got"):
        Pruned(Plain(), **values)


def test_a_missing_library_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neptune_nas.errors.find_spec", lambda _: None)
    with pytest.raises(NeptuneError, match=r"`Pruned\.width` needs torch_pruning.*\[pruning\]"):
        build(Pruned(Plain(), width=0.5), SHAPE, 4)


def test_norms_of_frozen_layers_keep_their_statistics_where_blocks_are_left_out() -> None:
    network = build(Pruned(TorchvisionModel("resnet18", frozen=0.3), depth=0.5), SHAPE, OUTPUTS, 0)
    norms = [each for each in network.train().modules() if isinstance(each, nn.BatchNorm2d)]
    assert [each.training for each in norms] == [each.weight.requires_grad for each in norms]
    assert {each.training for each in norms} == {True, False}

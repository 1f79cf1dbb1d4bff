import pytest
import torch
from torch import nn

from neptune_nas.architecture.records import (
    Architecture,
    Conv,
    Identity,
    Stage,
    Wiring,
)
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.peak_memory import peak_memory
from neptune_nas.nn.builder import build

SHAPE = (3, 16, 16)
MODEL = CostModel(SHAPE, classes=4)


def test_the_peak_is_weights_input_and_the_two_largest_neighbours() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(100, 300), nn.Linear(300, 10), nn.ReLU())
    weights = 100 * 300 + 300 + 300 * 10 + 10
    assert peak_memory(network, (1, 10, 10), batch=7) == 4 * (weights + 7 * (100 + 300 + 10))


def test_a_cost_model_counts_the_peak_of_whole_networks_where_it_is_asked_for() -> None:
    architecture = Architecture(stages=(Stage(16, substages=(Conv(),)),))
    peak = MODEL.value("peak_memory", architecture)
    assert peak == peak_memory(build(architecture, SHAPE, 4), SHAPE)
    assert type(peak) is int
    assert MODEL.values(architecture, ["peak_memory"])["peak_memory"] == peak
    assert "peak_memory" not in MODEL.values(architecture)


def test_training_keeps_what_the_backward_pass_needs() -> None:
    chain = nn.Sequential(*(nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sigmoid()) for _ in range(6)))
    evaluating, training = (peak_memory(chain, (4, 8, 8), 16, training=t) for t in (False, True))
    map_bytes = 4 * 16 * 4 * 8 * 8
    assert evaluating < 5 * map_bytes
    assert training > 6 * map_bytes


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    peak_memory(network, (3, 2, 2), training=True)
    assert all(p.grad is None and p.device.type == "cpu" for p in network.parameters())


@pytest.mark.parametrize("connections", ["chain", "residual"])
def test_reading_the_last_output_only_halves_the_memory_of_dense_connections(
    connections: Wiring,
) -> None:
    def bytes_of(wiring: Wiring, training: bool) -> int:
        substages = (Conv(groups="depthwise"),) * 8
        stage = Stage(16, entry=Identity(), norm="batch", connections=wiring, substages=substages)
        network = build(Architecture(stages=(stage,)), (3, 16, 16), 10)
        return peak_memory(network, (3, 16, 16), 8, training=training)

    assert 2 * bytes_of(connections, False) <= bytes_of("dense", False)
    assert 2 * bytes_of(connections, True) <= bytes_of("dense", True)


def test_views_and_operations_in_place_take_no_memory() -> None:
    class Views(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1).relu_()[:, 1:].mul_(2).sum()

    assert peak_memory(Views(), (1, 10, 10), batch=3) == 4 * (3 * 100 + 1)

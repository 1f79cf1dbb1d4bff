from dataclasses import replace

import pytest
import torch

from neptune_nas.data.load import load_once
from neptune_nas.deploy.fine_tuning import fine_tuned
from neptune_nas.deploy.int8_accuracy import measure_int8, quantised_network
from neptune_nas.deploy.quantisation import with_scales
from neptune_nas.deploy.quantised_graph import QuantisedGraph, Scale
from neptune_nas.graphs.graph import Weights
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.tasks.registry import task_of
from neptune_nas.training.loop import train
from neptune_nas.training.recipe import Recipe

DATA = load_once("digits#300", None, 0)
RECIPE = Recipe(batch_size=16, precision="fp32")


@pytest.fixture(scope="module")
def quantised() -> QuantisedGraph:
    network = ReferenceNetwork("plain-8", DATA.input_shape, 10).build(0)
    train(network, DATA, replace(RECIPE, lr=0.02), 8)
    return quantised_network(network, DATA)


def coarse(quantised: QuantisedGraph, factor: int = 60) -> QuantisedGraph:
    """Return the graph with maps of a few levels, as on hardware of 2 bits."""
    graph = quantised.graph
    scales = {
        number: scale
        if number in (*graph.inputs, graph.output)
        else Scale(scale.step * factor, round((scale.zero_point + 128) / factor) - 128)
        for number, scale in quantised.scales.items()
    }
    return with_scales(graph, scales)


def loss(of: QuantisedGraph | None) -> float:
    assert of is not None
    return measure_int8(of, DATA.validation, task_of(DATA))["loss"]


def test_fine_tuning_regains_what_coarse_maps_cost(quantised: QuantisedGraph) -> None:
    before = coarse(quantised)
    assert loss(before) > loss(quantised) + 0.1
    after = fine_tuned(before, DATA, replace(RECIPE, lr=0.1), 3)
    assert loss(after) < loss(before) - 0.1
    assert after is not None
    assert after.scales == before.scales


def test_fine_tuning_is_the_same_each_time_and_changes_nothing_else(
    quantised: QuantisedGraph,
) -> None:
    number, weights = next(iter(quantised.weights.items()))
    kept = weights.weight.clone()
    random = torch.random.get_rng_state()
    first, second = (fine_tuned(quantised, DATA, RECIPE, 1, seed=3) for _ in range(2))
    assert first is not None
    assert second is not None
    assert torch.equal(first.weights[number].weight, second.weights[number].weight)
    assert torch.equal(weights.weight, kept)
    assert torch.equal(torch.random.get_rng_state(), random)


def test_fine_tuning_that_diverges_gives_nothing(quantised: QuantisedGraph) -> None:
    *others, last = quantised.graph.operations
    broken = replace(last, constant=Weights(last.constant.weight, torch.full((10,), torch.nan)))
    graph = replace(quantised.graph, operations=(*others, broken))
    assert fine_tuned(replace(quantised, graph=graph), DATA, RECIPE, 1) is None

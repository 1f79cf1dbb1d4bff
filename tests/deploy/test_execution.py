from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.architecture.records import Architecture, InvertedResidual, Stage, Stem
from neptune_nas.deploy.execution import map_values, run_float, run_int8
from neptune_nas.deploy.quantisation import quantise, with_scales
from neptune_nas.deploy.quantised_graph import LEAST, Scale
from neptune_nas.deploy.runtimes import open_file
from neptune_nas.deploy.tflite import float_file, int8_file
from neptune_nas.graphs.graph import Graph, Operation, Weights
from neptune_nas.nn.builder import build
from tests.deploy.builders import (
    CLASSES,
    SHAPE,
    Every,
    classifier,
    graph_of,
    lifelike,
    network,
    pictures,
)


def ran(content: bytes, images: Tensor, runtime: str = "litert") -> Tensor:
    return open_file(content, runtime).predict(images)


UNIT = Scale(1, 0)


def every(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return lifelike(Every(), seed)


def squeezed(seed: int) -> nn.Module:
    """Return a network with squeeze-and-excitation and sums."""
    block = InvertedResidual(3, 2, squeeze=4)
    stage = Stage(16, block, 2, "none", "batch", substages=(block,), connections="residual")
    return lifelike(build(Architecture(Stem(8), (stage,)), SHAPE, CLASSES, seed), seed)


@pytest.mark.parametrize("make", [network, every])
def test_a_graph_in_floating_point_computes_what_its_network_does(
    make: Callable[[int], nn.Module],
) -> None:
    whole, images = classifier(make(0)), pictures(8)
    with torch.no_grad():
        torch.testing.assert_close(run_float(graph_of(whole), images), whole(images))


@pytest.mark.parametrize("make", [network, every])
def test_a_float_file_computes_what_its_graph_does(make: Callable[[int], nn.Module]) -> None:
    graph, images = graph_of(classifier(make(1))), pictures(8)
    torch.testing.assert_close(ran(float_file(graph), images), run_float(graph, images))


@pytest.mark.parametrize("make", [network, squeezed])
def test_int8_is_to_the_last_bit_what_tflite_micro_computes(
    make: Callable[[int], nn.Module],
) -> None:
    quantised = quantise(graph_of(classifier(make(0))), [pictures(32, 9)])
    there = ran(int8_file(quantised), pictures(16), "tflite-micro")
    assert torch.equal(run_int8(quantised, pictures(16)), there)


@pytest.mark.parametrize("lean", [True, False])
def test_every_operation_in_int8_is_within_two_steps_of_litert(lean: bool) -> None:
    quantised = quantise(graph_of(classifier(every(0))), [pictures(32, 9)])
    assert {each.kind for each in quantised.graph.operations} >= {
        *("conv", "depthwise", "linear", "mul", "sigmoid", "hard_swish", "concat"),
        *("max_pool", "average_pool"),
    }
    step = quantised.scales[quantised.graph.output].step
    found = run_int8(quantised, pictures(32))
    there = ran(int8_file(quantised, lean=lean), pictures(32))
    torch.testing.assert_close(found, there, rtol=0, atol=2.01 * step)
    assert (found.argmax(1) == there.argmax(1)).float().mean() >= 0.95


def of_one(operation: Operation, source: tuple[int, ...], target: tuple[int, ...]) -> Graph:
    return Graph({0: source, 1: target}, (operation,), (0,), 1)


def integers_of(graph: Graph, images: Tensor, out: Scale = UNIT) -> list[float]:
    return run_int8(with_scales(graph, {0: UNIT, 1: out}), images).flatten().tolist()


def test_the_mean_of_pixels_rounds_halves_away_from_zero() -> None:
    pool = Operation("average_pool", (0,), 1, kernel=(1, 2), stride=(1, 2))
    graph = of_one(pool, (1, 2, 3), (1, 1, 3))
    pairs = torch.tensor([[[[1.0, 2.0]], [[-1.0, -2.0]], [[3.0, 5.0]]]])
    assert integers_of(graph, pairs) == [2.0, -2.0, 4.0]


def test_padding_means_zero_whatever_the_zero_point() -> None:
    weights = Weights(torch.ones(1, 1, 3, 3), torch.zeros(1))
    conv = Operation("conv", (0,), 1, kernel=(3, 3), padding=(1, 1), constant=weights)
    quantised = with_scales(of_one(conv, (1, 1, 1), (1, 1, 1)), {0: Scale(1, -100), 1: UNIT})
    assert run_int8(quantised, torch.full((1, 1, 1, 1), 5.0)).item() == 5


@pytest.mark.parametrize(("activation", "found"), [("none", -3.0), ("relu", 0.0), ("relu6", 0.0)])
def test_an_activation_clamps_the_integers(activation: str, found: float) -> None:
    weights = Weights(torch.tensor([[[[-1.0]]]]), torch.zeros(1))
    conv = Operation("conv", (0,), 1, constant=weights)
    graph = of_one(replace(conv, activation=activation), (1, 1, 1), (1, 1, 1))  # type: ignore[arg-type]  # one of the three
    assert integers_of(graph, torch.full((1, 1, 1, 1), 3.0)) == [found]
    high = 9.0 if activation == "none" else 6.0 if activation == "relu6" else 9.0
    assert integers_of(graph, torch.full((1, 1, 1, 1), -9.0)) == [high]


def test_what_is_out_of_range_is_the_nearest_integer() -> None:
    weights = Weights(torch.ones(1, 1, 1, 1), torch.zeros(1))
    graph = of_one(Operation("conv", (0,), 1, constant=weights), (1, 1, 2), (1, 1, 2))
    scales = {0: UNIT, 1: Scale(0.5, 0)}
    found = run_int8(with_scales(graph, scales), torch.tensor([[[[100.0, -100.0]]]]))
    assert found.flatten().tolist() == [63.5, -64.0]


def test_maps_are_dropped_after_their_last_reader() -> None:
    graph, images = graph_of(classifier(network())), pictures(1)
    numbers = [number for number, _ in map_values(graph, images)]
    assert numbers == [graph.inputs[0], *(each.output for each in graph.operations)]


def test_pixels_are_bytes_minus_128() -> None:
    quantised = quantise(graph_of(classifier(network())), [pictures(4)])
    pixels = quantised.scales[quantised.graph.inputs[0]]
    assert (pixels.zero_point, pixels.least, round(pixels.most, 6)) == (LEAST, 0.0, 1.0)

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.deploy.execution import map_values, run_float, run_int8
from neptune_nas.deploy.quantisation import UnquantisableError, quantise
from neptune_nas.deploy.quantised_graph import QuantisedGraph, Scale
from neptune_nas.deploy.runtimes import open_file
from neptune_nas.deploy.tflite import int8_file
from neptune_nas.errors import DataError
from neptune_nas.graphs.graph import SAME_SCALE, Graph, Weights
from neptune_nas.graphs.lowering import UnsupportedOperationError
from tests.deploy.builders import Every, classifier, graph_of, lifelike, network, pictures


def ran(content: bytes, images: Tensor) -> Tensor:
    return open_file(content, "litert").predict(images).flatten(1)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(classifier(network()))


@pytest.fixture(scope="module")
def quantised(graph: Graph) -> QuantisedGraph:
    return quantise(graph, [pictures(32)])


@torch.no_grad()
def test_a_scale_covers_the_range_of_its_map_and_zero(
    graph: Graph, quantised: QuantisedGraph
) -> None:
    for number, map_ in map_values(graph, pictures(32)):
        scale = quantised.scales[number]
        assert scale.least <= 0 <= scale.most
        assert float(map_.min()) >= scale.least - scale.step
        assert float(map_.max()) <= scale.most + scale.step


def test_calibration_in_batches_is_calibration_on_all(
    graph: Graph, quantised: QuantisedGraph
) -> None:
    found = quantise(graph, torch.split(pictures(32), 10))
    for number, scale in found.scales.items():
        assert scale.step == pytest.approx(quantised.scales[number].step, rel=1e-5)


def test_values_that_must_share_a_scale_do(quantised: QuantisedGraph) -> None:
    tied = [each for each in quantised.graph.operations if each.kind in SAME_SCALE]
    assert tied
    for operation in tied:
        scales = {quantised.scales[number] for number in (operation.output, *operation.inputs)}
        assert len(scales) == 1


def test_weights_fill_the_integers_channel_by_channel(quantised: QuantisedGraph) -> None:
    for operation in quantised.graph.operations:
        if operation.kind in ("conv", "depthwise"):
            largest = quantised.weights[operation.output].weight.int().abs().flatten(1).amax(1)
            assert set(largest.tolist()) <= {0, 127}
            assert int(quantised.weights[operation.output].weight.min()) >= -127


def test_int8_is_close_to_floating_point(graph: Graph, quantised: QuantisedGraph) -> None:
    images = pictures(32, 5)
    off = (run_int8(quantised, images) - run_float(graph, images)).abs().max()
    assert off <= 4 * quantised.scales[graph.output].step


def test_a_step_is_the_number_that_a_file_holds() -> None:
    assert (
        torch.tensor(Scale(0.1, 0).step, dtype=torch.float64).float().item() == Scale(0.1, 0).step
    )


@pytest.mark.parametrize("batches", [[], [pictures(0)]])
def test_without_images_nothing_is_calibrated(graph: Graph, batches: list[Tensor]) -> None:
    with pytest.raises(DataError, match="int8 needs at least one image to calibrate on"):
        quantise(graph, batches)


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_maps_and_weights_that_are_not_finite_are_refused(graph: Graph, number: float) -> None:
    with pytest.raises(UnquantisableError, match="its maps have NaN or infinity; train it again"):
        quantise(graph, [torch.full((1, 3, 16, 16), number)])
    *others, last = graph.operations
    bias = torch.full((5,), number)
    broken = replace(last, constant=Weights(last.constant.weight, bias))
    with pytest.raises(UnquantisableError, match="cannot be quantised: its maps"):
        quantise(replace(graph, operations=(*others, broken)), [pictures(2)])


def test_an_untrained_network_of_zeros_is_quantised() -> None:
    of = network()
    for parameter in of.parameters():
        parameter.data.zero_()
    quantised = quantise(graph_of(classifier(of)), [pictures(4)])
    assert run_int8(quantised, pictures(4)).abs().max() == 0
    assert ran(int8_file(quantised), pictures(4)).abs().max() == 0


def test_a_huge_bias_fits_and_is_kept() -> None:
    conv = nn.Conv2d(3, 4, 1)
    conv.weight.data.mul_(1e-6)
    conv.bias = nn.Parameter(torch.tensor([1e4, -2e4, 0.0, 5e3]))
    of = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    quantised = quantise(graph_of(classifier(of)), [pictures(4)])
    step = quantised.scales[quantised.graph.output].step
    wanted = torch.tensor([1e4, -2e4, 0.0, 5e3]).expand(4, 4)
    for found in (
        run_int8(quantised, pictures(4)),
        ran(int8_file(quantised), pictures(4)).flatten(1),
    ):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1.01 * step)


def test_a_map_that_is_constant_keeps_its_value() -> None:
    conv = nn.Conv2d(3, 2, 1)
    conv.weight.data.zero_()
    conv.bias = nn.Parameter(torch.tensor([0.25, -1.0]))
    reader = nn.Conv2d(2, 2, 1)
    # whole numbers that int8 holds: those of other weights are off by more than the logits' step,
    # where logits are small as their terms cancel
    reader.weight = nn.Parameter(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).view(2, 2, 1, 1))
    of = nn.Sequential(conv, nn.ReLU(), reader, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    graph = graph_of(classifier(of))
    quantised = quantise(graph, [pictures(4)])
    step = quantised.scales[graph.output].step
    for found in (
        run_int8(quantised, pictures(4)),
        ran(int8_file(quantised), pictures(4)).flatten(1),
    ):
        torch.testing.assert_close(found, run_float(graph, pictures(4)), rtol=0, atol=1.01 * step)


class _Joined(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        x = nn.functional.relu(images * 3)
        return torch.cat([torch.sigmoid(x), x], 1).mean((2, 3))


def test_a_sigmoid_beside_a_wider_map_is_refused() -> None:
    with pytest.raises(UnsupportedOperationError, match="a sigmoid, or the image, in a concat"):
        quantise(graph_of(_Joined()), [pictures(4)])


def test_a_sigmoid_has_the_scale_that_runtimes_demand() -> None:
    quantised = quantise(graph_of(classifier(lifelike(Every()))), [pictures(4)])
    (sigmoid,) = (each for each in quantised.graph.operations if each.kind == "sigmoid")
    assert quantised.scales[sigmoid.output] == Scale(1 / 256, -128)

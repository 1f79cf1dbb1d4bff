import sys
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.architecture.dense_heads import LrasppHead
from neptune_nas.deploy.execution import run_int8
from neptune_nas.deploy.quantisation import quantise
from neptune_nas.deploy.quantised_graph import QuantisedGraph, Scale
from neptune_nas.deploy.runtimes import open_file
from neptune_nas.deploy.tflite import LIBRARIES, OPERATORS, float_file, int8_file
from neptune_nas.errors import NeptuneError
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.graph import Graph
from neptune_nas.graphs.lowering import lower
from tests.deploy.builders import ARCHITECTURE, CLASSES, SHAPE, Every, lifelike, pictures
from tests.models.export.forms import random_model

RUNTIMES = ("tflite-micro", "litert")


class Odd(nn.Module):
    """Odd sizes, 5x5 kernels with strides, a sum, and activations that stand alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 5, 2, 2)
        self.deep = nn.Conv2d(6, 6, 5, 2, 2, groups=6)
        self.flat = nn.Conv2d(6, 6, 1, 2)
        self.last = nn.Linear(6, 4)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(N, 3, 15, 15)` to logits `(N, 4)`."""
        x = nn.functional.max_pool2d(self.first(images), 2)
        y = self.deep(nn.functional.relu(x)) + self.flat(nn.functional.relu6(x))
        logits: Tensor = self.last(y.mean((2, 3)))
        return logits


class Resized(nn.Module):
    """A map of another size."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(N, 3, H, W)` to `(N, 3, *size)`."""
        return nn.functional.interpolate(images, self.size, mode="bilinear", align_corners=False)


def images_for(of: nn.Module) -> Tensor:
    side = 15 if isinstance(of, Odd) else 16
    return pictures(16)[..., :side, :side]


def network_named(name: str) -> nn.Module:
    torch.manual_seed(1)
    if name in ("neptune", "dense"):
        of = ARCHITECTURE if name == "neptune" else replace(ARCHITECTURE, head=LrasppHead(6))
        return random_model(of, SHAPE).classifier()
    return lifelike(Odd() if name == "odd" else Every())


@cache
def graph_named(name: str) -> tuple[nn.Module, Tensor, Graph]:
    of = network_named(name)
    images = images_for(of)
    return of, images, fuse(lower(of, images[:1]))


def kinds(graph: Graph) -> set[str]:
    return {operation.kind for operation in graph.operations}


def test_the_networks_here_have_every_operation_that_a_file_can_hold() -> None:
    graphs = [graph_named(name)[2] for name in ("neptune", "dense", "odd", "every")]
    assert set().union(*map(kinds, graphs)) == OPERATORS.keys()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["neptune", "dense", "odd", "every"])
def test_a_float_file_computes_what_the_network_does(name: str, runtime: str) -> None:
    of, images, graph = graph_named(name)
    found = open_file(float_file(graph), runtime).predict(images)
    with torch.no_grad():
        torch.testing.assert_close(found, of(images), atol=1e-4, rtol=1e-4)


@cache
def int8_named(name: str) -> tuple[QuantisedGraph, Tensor, float]:
    _, images, graph = graph_named(name)
    quantised = quantise(graph, [images])
    return quantised, images, quantised.scales[graph.output].step


@pytest.mark.parametrize("name", ["neptune", "odd"])
def test_tflite_micro_computes_the_integers_of_the_simulation(name: str) -> None:
    quantised, images, _ = int8_named(name)
    found = open_file(int8_file(quantised), "tflite-micro").predict(images)
    assert torch.equal(found, run_int8(quantised, images))
    assert len(torch.unique(found, dim=0)) > 1


def test_sigmoid_and_hard_swish_are_within_a_step_on_tflite_micro() -> None:
    quantised, images, step = int8_named("every")
    found = open_file(int8_file(quantised), "tflite-micro").predict(images)
    simulated = run_int8(quantised, images)
    torch.testing.assert_close(found, simulated, atol=1.01 * step, rtol=0)


@pytest.mark.parametrize("name", ["neptune", "odd", "every"])
def test_litert_is_within_a_step_of_the_simulation(name: str) -> None:
    quantised, images, step = int8_named(name)
    found = open_file(int8_file(quantised, lean=False), "litert").predict(images)
    simulated = run_int8(quantised, images, rounds_once=True)
    torch.testing.assert_close(found, simulated, atol=1.01 * step, rtol=0)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("size", [(7, 9), (11, 5), (40, 64), (61, 163), (3, 3), (1, 1)], ids=str)
def test_runtimes_resize_as_the_simulation_does(size: tuple[int, int], runtime: str) -> None:
    """Whole numbers of pixels larger and smaller, up, down and to one pixel."""
    images = pictures(2)[..., :5, :9]
    quantised = quantise(fuse(lower(Resized(size), images[:1])), [images])
    is_fast = runtime == "litert"
    found = open_file(int8_file(quantised, lean=not is_fast), runtime).predict(images)
    assert found.shape[:2] == (2, 3)
    simulated = run_int8(quantised, images, rounds_once=is_fast)
    assert torch.equal(found.flatten(1), simulated.flatten(1))


def test_places_that_drift_out_of_a_wide_map_are_its_last_pixel() -> None:
    images = pictures(62)[:, :, :1, 0].permute(1, 2, 0)[None]  # one row of 62 pixels
    quantised = quantise(fuse(lower(Resized((1, 1953)), images)), [images])
    ends = run_int8(quantised, images)[0, :, 0, -5:]
    assert torch.equal(ends, ends[:, :1].expand(-1, 5))


def test_the_logits_of_pixels_are_those_of_the_simulation() -> None:
    quantised, images, step = int8_named("dense")
    found = open_file(int8_file(quantised), "tflite-micro").predict(images)
    assert found.shape == (16, CLASSES, 16, 16)
    torch.testing.assert_close(found, run_int8(quantised, images), atol=1.01 * step, rtol=0)
    fast = open_file(int8_file(quantised, lean=False), "litert").predict(images)
    simulated = run_int8(quantised, images, rounds_once=True)
    torch.testing.assert_close(fast, simulated, atol=1.01 * step, rtol=0)


def test_a_lean_file_leaves_out_the_scales_of_biases() -> None:
    quantised, _, _ = int8_named("neptune")
    convolutions = [o for o in quantised.graph.operations if o.kind in ("conv", "depthwise")]
    channels = sum(quantised.graph.shapes[each.output][-1] for each in convolutions)
    spared = len(int8_file(quantised, lean=False)) - len(int8_file(quantised))
    assert spared >= 12 * channels


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_missing_library_is_named_with_its_extra(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(NeptuneError, match=rf"needs {library}, .*'neptune-nas\[litert\]'"):
        float_file(graph_named("odd")[2])


class Faint(nn.Module):
    """The sum of a map of tiny numbers and one of zeros, as in a deep network that is untrained."""

    def __init__(self) -> None:
        super().__init__()
        self.tiny, self.dead = (nn.Conv2d(3, 4, 1, bias=False) for _ in range(2))
        self.tiny.weight.data *= 1e-6
        self.dead.weight.data *= 0

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(N, 3, H, W)` to `(N, 4)`."""
        total: Tensor = self.tiny(images) + self.dead(images)
        return total.mean((2, 3))


def test_a_sum_with_a_map_of_zeros_is_opened() -> None:
    images = pictures(2)
    quantised = quantise(fuse(lower(Faint(), images[:1])), [images])
    assert len(open_file(int8_file(quantised), "tflite-micro").predict(images)) == 2


def test_a_sum_that_would_end_the_process_is_refused() -> None:
    quantised = quantise(fuse(lower(Faint(), pictures(1))), [pictures(1)])
    (total,) = (each.output for each in quantised.graph.operations if each.kind == "add")
    scales = {**quantised.scales, total: Scale(1e-16, 0)}
    with pytest.raises(NeptuneError, match="a sum of two maps has a range that is less than a mil"):
        int8_file(replace(quantised, scales=scales))

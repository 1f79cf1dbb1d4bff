import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn
from torchvision.models import MobileNet_V3_Small_Weights, ShuffleNet_V2_X0_5_Weights

from neptune_nas.errors import ArchitectureError, OptionError
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.lowering import lower
from neptune_nas.graphs.memory_plan import peak, plan
from neptune_nas.metrics.counted import Cost, CostModel, cost
from neptune_nas.nn.builder import Shape
from neptune_nas.nn.references import (
    PLAIN,
    REFERENCES,
    ReferenceNetwork,
    is_plain,
    is_reference,
    list_references,
    plain_detector,
    plain_network,
    plain_unet,
    reference_task,
)

RGB, GREY = (3, 32, 32), (1, 28, 28)
CLASSIFIERS = REFERENCES[:10]


def build(name: str, shape: tuple[int, int, int] = RGB, classes: int = 10) -> nn.Module:
    with torch.device("meta"):
        return ReferenceNetwork(name, shape, classes).build()


def cost_of(name: str, shape: tuple[int, int, int] = RGB, classes: int = 10) -> Cost:
    return cost(build(name, shape, classes), shape)


def test_resnet8_is_as_large_as_mlperf_tiny_says() -> None:
    network = build("resnet8")
    statistics = sum(buffer.numel() for buffer in network.buffers() if buffer.ndim)
    found = cost(network, RGB)
    assert found.params + statistics == 78_666  # Keras counts both
    assert found.macs == pytest.approx(12.5e6, rel=1e-3)


def test_resnet8_runs_on_a_device_with_three_of_its_first_maps_in_memory() -> None:
    graph = fuse(lower(build("resnet8"), torch.empty(1, *RGB, device="meta")))
    adds = [each for each in graph.operations if each.kind == "add"]
    assert [each.activation for each in adds] == ["relu"] * 3
    assert len([each for each in graph.operations if each.kind == "conv"]) == 9
    assert peak(plan(graph)) == 3 * 32 * 32 * 16


def test_resnet20_is_as_large_as_its_paper_says() -> None:
    found = cost_of("resnet20")
    assert found.params == pytest.approx(0.27e6, rel=0.01)
    assert found.macs == pytest.approx(40.8e6, rel=1e-3)
    convolutions = [m for m in build("resnet20").modules() if isinstance(m, nn.Conv2d)]
    assert len([m for m in convolutions if m.kernel_size == (3, 3)]) == 19  # and a linear layer


@pytest.mark.parametrize(
    ("name", "mflops"),
    [("resnet8", 25.0), ("shufflenet_v2_x0_5", 6.5), ("mobilenet_v3_small", 11.0)],
)
def test_small_images_cost_as_much_as_with_a_first_stride_of_1(name: str, mflops: float) -> None:
    assert cost_of(name).flops / 1e6 == pytest.approx(mflops, abs=0.05)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("shufflenet_v2_x0_5", ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1.meta),
        ("mobilenet_v3_small", MobileNet_V3_Small_Weights.IMAGENET1K_V1.meta),
    ],
)
def test_large_images_meet_the_network_as_torchvision_has_it(
    name: str, facts: dict[str, float]
) -> None:
    found = cost_of(name, (3, 224, 224), 1000)
    assert found.params == facts["num_params"]
    assert found.macs / 1e9 == pytest.approx(facts["_ops"], abs=1e-3)


def test_images_of_up_to_64_pixels_are_small() -> None:
    stem = [build("resnet18", (3, side, 64)).get_submodule("conv1").stride for side in (64, 65)]
    assert stem == [(1, 1), (2, 2)]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_network_takes_images_of_any_channels_and_gives_logits(name: str) -> None:
    for shape in (RGB, GREY):
        network = build(name, shape, 7)
        assert network(torch.empty(2, *shape, device="meta")).shape == (2, 7)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_network_takes_a_batch_of_no_images(name: str) -> None:
    network = ReferenceNetwork(name, RGB, 7).build(0).train()
    network(torch.empty(0, *RGB)).sum().backward()
    assert network.eval()(torch.empty(0, *RGB)).shape == (0, 7)


@pytest.mark.parametrize("name", ["resnet8", "shufflenet_v2_x0_5"])
def test_equal_seeds_give_equal_weights_and_leave_the_random_state(name: str) -> None:
    network = ReferenceNetwork(name, (1, 8, 8), 10)
    before = torch.get_rng_state()
    first, same, other = (network.build(seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weight = next(iter(first))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not torch.equal(first[weight], other[weight])


def test_a_reference_survives_the_way_to_a_worker() -> None:
    network = ReferenceNetwork("resnet8", RGB, 10)
    assert pickle.loads(pickle.dumps(network)) == network


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError, match="'resnet9' is unknown: did you mean 'resnet8'"):
        ReferenceNetwork("resnet9", RGB, 10)


def test_images_that_squeezenet_cannot_take_are_refused() -> None:
    with pytest.raises(ArchitectureError, match="at least 10x10 pixels, but got 8x9"):
        ReferenceNetwork("squeezenet1_1", (1, 8, 9), 10)
    assert cost_of("squeezenet1_1", (1, 10, 10)).macs > 0


def test_torchvision_is_imported_for_its_own_networks_only() -> None:
    code = (
        "import sys\n"
        "from neptune_nas.nn.references import ReferenceNetwork\n"
        "for name in ('resnet20', 'resnet18'):\n"
        "    ReferenceNetwork(name, (3, 32, 32), 10).build()\n"
        "    print('torchvision' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]


def test_the_names_are_listed() -> None:
    assert list_references()[:2] == ("resnet8", "resnet20")
    assert len({*list_references()}) == 14


@pytest.mark.parametrize(
    ("side", "widths", "last"),
    [(8, [6, 12], 4), (28, [6, 12, 24], 7), (32, [6, 12, 24, 48], 4), (64, [6, 12, 24, 48, 96], 4)],
)
def test_a_plain_network_doubles_its_channels_as_it_halves_the_map(
    side: int, widths: list[int], last: int
) -> None:
    shape = (3, side, side)
    found = [m for m in build("plain-6", shape).modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in found] == widths
    assert {m.kernel_size for m in found} == {(3, 3)}
    assert [m.stride[0] for m in found] == [1, *[2] * (len(widths) - 1)]
    network = build("plain-6", shape)
    maps = network.forward_features(torch.empty(1, *shape, device="meta"))  # type: ignore[operator]  # of Neptune
    assert maps[-1].shape[-1] == last


def test_a_plain_network_halves_large_images_at_once_and_never_without_end() -> None:
    large = plain_network(8, (3, 224, 224))
    assert (large.stem.stride, len(large.stages)) == (2, 4)
    assert len(plain_network(8, (3, 4096, 4096)).stages) == 4
    assert len(plain_network(8, (3, 2, 2)).stages) == 1


def test_a_plain_network_computes_what_torch_computes() -> None:
    network = ReferenceNetwork("plain-4", (3, 8, 8), 5).build(0).eval()
    parameters = {n: p for n, p in network.named_parameters() if p.ndim > 1}
    first, second, linear = parameters.values()
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    x = torch.randn(2, 3, 8, 8)
    y = norms[0](nn.functional.conv2d(x, first, padding=1)).relu()
    y = norms[1](nn.functional.conv2d(y, second, padding=1, stride=2)).relu()
    (bias,) = (p for n, p in network.named_parameters() if n == "head.linear.bias")
    assert torch.allclose(network(x), y.mean((2, 3)) @ linear.T + bias, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["plain", "plain-", "plain-0", "plain-08", "plain-1025", "plain-x"]
)
def test_a_plain_network_without_a_width_of_1_to_1024_is_refused(name: str) -> None:
    assert not is_reference(name)
    with pytest.raises(OptionError, match=rf"'{name}' is unknown: .*plain-WIDTH"):
        ReferenceNetwork(name, RGB, 10)


@pytest.mark.parametrize("shape", [(1, 48, 48), (3, 90, 130)])
def test_a_plain_unet_answers_for_each_pixel(shape: Shape) -> None:
    network = ReferenceNetwork("unet-2", shape, 5).build(seed=0).eval()
    assert network(torch.rand(2, *shape)).shape == (2, 5, *shape[1:])


def test_a_plain_unet_reads_each_size_on_its_way_up() -> None:
    down = plain_unet(4, (3, 64, 64))
    assert down.head.levels == len(down.stages) + 1
    assert [stage.width for stage in down.stages] == [8, 16, 32, 64]


def test_each_network_is_for_the_task_of_its_name() -> None:
    assert reference_task("unet-8") == "segmentation"
    assert reference_task("fcos-8") == "detection"
    assert {reference_task(name) for name in (*CLASSIFIERS, "plain-8")} == {"classification"}
    assert all(is_plain(each.name(3)) and not is_plain("resnet8") for each in PLAIN.values())
    assert all(reference_task(n) == task for task, each in PLAIN.items() for n in each.usual)


def test_a_plain_detector_reads_three_maps_or_as_many_as_there_are() -> None:
    for side, levels, mflops in ((48, 3, 19.9), (8, 2, None)):
        network = plain_detector(8, (1, side, side))
        assert network.head.levels == levels
        if mflops is not None:
            found = CostModel((1, side, side), 10).value("flops", network)
            assert found / 1e6 == pytest.approx(mflops, abs=0.05)

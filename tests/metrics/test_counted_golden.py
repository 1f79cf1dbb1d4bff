"""Costs held to numbers from outside."""

import pytest
import torch
from torch import nn
from torchvision.models import (
    MobileNet_V2_Weights,
    ResNet18_Weights,
    mobilenet_v2,
    mobilenetv3,
    resnet18,
)
from torchvision.models.mobilenetv3 import InvertedResidualConfig

from benchmarks.nasbench_macro_costs import macro_architecture
from neptune_nas.architecture.records import (
    Architecture,
    Conv,
    Head,
    Identity,
    InvertedResidual,
    Stage,
    Stem,
)
from neptune_nas.metrics.counted import Cost, CostModel, cost
from neptune_nas.nn.builder import build_stage

IMAGE = (3, 224, 224)


@pytest.mark.parametrize(
    ("code", "params", "macs"),
    [
        # NAS-Bench-Macro's table (Su et al., CVPR 2021, arXiv 2103.11922; Apache-2.0).
        ("00000000", 387882, 7713280),
        ("11111111", 1588874, 53246464),
        ("22222222", 2932586, 105660928),
        ("02012100", 890666, 47327744),
        ("11022212", 2381386, 75305472),
        ("22111222", 2655914, 85840384),
        ("11201121", 1958602, 58751488),
        ("00110021", 1757802, 38130176),
        ("02220120", 1695274, 63539712),
        ("12202010", 1156234, 56910336),
        ("12110102", 1542602, 55433728),
        ("11112212", 2296970, 72311296),
    ],
)
def test_nas_bench_macro_networks_cost_what_their_table_says(
    code: str, params: int, macs: int
) -> None:
    found = CostModel((3, 32, 32), 10).cost(macro_architecture(code))
    assert (found.params, found.macs) == (params, macs)


def mobilenet(width: int, expansion: int, stride: int, blocks: int) -> Stage:
    """One row of table 2 of the paper."""
    block = InvertedResidual(3, expansion)
    return Stage(
        width,
        entry=block,
        stride=stride,
        pool="none",
        norm="batch",
        substages=(block,) * (blocks - 1),
    )


MOBILENET_V2 = Architecture(
    stem=Stem(32, stride=2),
    stages=(
        mobilenet(16, 1, 1, 1),
        mobilenet(24, 6, 2, 2),
        mobilenet(32, 6, 2, 3),
        mobilenet(64, 6, 2, 4),
        mobilenet(96, 6, 1, 3),
        mobilenet(160, 6, 2, 3),
        mobilenet(320, 6, 1, 1),
    ),
    head=Head(width=1280, dropout=0.2),
)


def test_mobilenet_v2_written_as_a_neptune_architecture_costs_what_torchvision_says() -> None:
    found = CostModel(IMAGE, 1000).cost(MOBILENET_V2)
    facts = MobileNet_V2_Weights.IMAGENET1K_V1.meta
    assert found.params == facts["num_params"] == 3_504_872
    assert found.macs / 1e9 == pytest.approx(facts["_ops"], abs=5e-4)
    with torch.device("meta"):
        assert found == cost(mobilenet_v2(), IMAGE)


@pytest.mark.parametrize(
    ("channels", "kernel", "expansion", "width", "stride"),
    [  # table 1 of MobileNetV3's paper, arXiv 1905.02244
        (24, 5, 3, 40, 2),
        (40, 5, 3, 40, 1),
        (112, 3, 6, 112, 1),
        (112, 5, 6, 160, 2),
        (16, 3, 1, 16, 2),
    ],
)
def test_a_squeezed_block_of_mobilenet_v3_costs_what_torchvisions_does(
    channels: int, kernel: int, expansion: int, width: int, stride: int
) -> None:
    inner = channels * expansion
    row = InvertedResidualConfig(channels, kernel, inner, width, True, "RE", stride, 1, 1.0)
    stage = Stage(width, InvertedResidual(kernel, expansion, 4), stride, "none", "batch")
    shape = (channels, 28, 28)
    with torch.device("meta"):
        theirs = mobilenetv3.InvertedResidual(row, nn.BatchNorm2d)
        assert cost(build_stage(stage, channels), shape) == cost(theirs, shape)


def test_resnet18_costs_what_torchvision_says() -> None:
    facts = ResNet18_Weights.IMAGENET1K_V1.meta
    with torch.device("meta"):
        found = cost(resnet18(), IMAGE)
    assert found.params == facts["num_params"] == 11_689_512
    assert found.macs / 1e9 == pytest.approx(facts["_ops"], abs=5e-4)


def neptune_block(in_channels: int, width: int, stride: int) -> list[nn.Module]:
    """ResNet's basic block: a stage of two convolutions and a shortcut where the shape changes."""
    plain = {"pool": "none", "norm": "batch", "stride": stride}
    stages = [Stage(width, entry=Conv(3), substages=(Conv(3),), **plain)]  # type: ignore[arg-type]  # Stage's own fields
    if (in_channels, 1) != (width, stride):
        stages.append(Stage(width, entry=Identity(), **plain))  # type: ignore[arg-type]  # Stage's own fields
    return [build_stage(stage, in_channels) for stage in stages]


@pytest.mark.parametrize(
    ("layer", "block", "in_channels", "width", "stride", "side"),
    [
        (1, 0, 64, 64, 1, 56),
        (1, 1, 64, 64, 1, 56),
        (2, 0, 64, 128, 2, 56),
        (2, 1, 128, 128, 1, 28),
        (3, 0, 128, 256, 2, 28),
        (3, 1, 256, 256, 1, 14),
        (4, 0, 256, 512, 2, 14),
        (4, 1, 512, 512, 1, 7),
    ],
)
def test_resnet18_block_by_block_costs_what_torchvisions_does(
    layer: int, block: int, in_channels: int, width: int, stride: int, side: int
) -> None:
    shape = (in_channels, side, side)
    with torch.device("meta"):
        theirs = cost(resnet18().get_submodule(f"layer{layer}.{block}"), shape)
        ours = [cost(module, shape) for module in neptune_block(in_channels, width, stride)]
    assert sum(ours, Cost(0, 0, 0)) == theirs

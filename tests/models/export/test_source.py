import re

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from neptune_nas.architecture.records import (
    Architecture,
    Conv,
    Identity,
    InvertedResidual,
    Stage,
    Stem,
)
from neptune_nas.errors import ArchitectureError
from neptune_nas.models.export.source import call, chain, inverted_residual, layer, network_source
from neptune_nas.nn import norms, substages
from neptune_nas.nn.builder import build
from tests.models.export.forms import run
from tests.strategies import architectures


def sources(*stages: Stage) -> tuple[list[str], str]:
    """Return the stages' classes and the network's call."""
    return network_source(build(Architecture(Stem(8), stages), (1, 16, 16), 3))


def steps(stage: Stage) -> list[str]:
    """Return the lines of the stage's forward pass."""
    (text,), _ = sources(stage)
    return [line.strip() for line in text.partition("def forward")[2].splitlines()[1:]]


def test_a_residual_stage_adds_what_each_substage_reads() -> None:
    assert steps(Stage(8, norm="batch", substages=(Conv(), Identity(), Conv()))) == [
        "y0 = self.norm(self.pool(self.entry(x)))",
        "y1 = y0 + self.substages[0](y0)",
        "y2 = self.substages[1](y1)",
        "y3 = y2 + self.substages[2](y2)",
        "return y3",
    ]


def test_several_sources_are_concatenated() -> None:
    stage = Stage(8, norm="batch", connections=((0,), (0, 1)), substages=(Conv(), Conv()))
    assert steps(stage)[1:3] == [
        "y1 = self.substages[0](y0)",
        "y2 = self.substages[1](torch.cat((y0, y1), 1))",
    ]


def test_a_norm_over_layers_reads_what_came_before_the_norms() -> None:
    stage = Stage(8, norm="mln", connections="dense", substages=(Conv(), Conv()))
    assert steps(stage)[:-1] == [
        "raw0 = self.pool(self.entry(x))",
        "y0 = self.norm(raw0)",
        "raw1 = self.substages[0].op(y0)",
        "y1 = self.substages[0].norm(raw1, [raw0])",
        "raw2 = self.substages[1].op(self.substages[1].project(torch.cat((y0, y1), 1)))",
        "y2 = self.substages[1].norm(raw2, [raw0, raw1])",
    ]


def test_an_entry_that_keeps_the_shape_has_its_shortcut() -> None:
    stage = Stage(8, entry=InvertedResidual(), norm="batch", pool="none")
    assert steps(stage)[0] == "y0 = x + self.norm(self.pool(self.entry(x)))"


def test_a_stage_says_what_becomes_of_the_shape() -> None:
    (first, second), _ = sources(Stage(8, stride=2), Stage(16, pool="none"))
    assert '"""`(N, 8, H, W)` to `(N, 8, H / 4, W / 4)`."""' in first
    assert '"""`(N, 8, H, W)` to `(N, 16, H, W)`."""' in second


def test_a_network_is_its_stem_its_stages_and_its_head() -> None:
    assert sources(Stage(8), Stage(8))[1].splitlines() == [
        "chain(",
        "    stem=chain(",
        "        conv=nn.Conv2d(1, 8, 3, padding=1, bias=False),",
        "        norm=nn.BatchNorm2d(8),",
        "        relu=nn.ReLU(),",
        "    ),",
        "    stages=nn.Sequential(Stage0(), Stage1()),",
        "    head=chain(",
        "        relu=nn.ReLU(),",
        "        pool=nn.AdaptiveAvgPool2d(1),",
        "        flatten=nn.Flatten(),",
        "        linear=nn.Linear(8, 3),",
        "    ),",
        ")",
    ]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (substages.Projection(4, 4), "nn.Identity()"),
        (substages.Projection(4, 8, 2), "chain(conv=nn.Conv2d(4, 8, 1, stride=2, bias=False))"),
        (
            substages.SelfAttention(8, 2, window=4, bias=True),
            "SelfAttention(8, heads=2, window=4, bias=True)",
        ),
        (
            substages.InvertedResidualBlock(4, 8, 5, stride=2),
            "inverted_residual(4, 16, 8, 5, stride=2)",
        ),
        (substages.SqueezeExcitation(32, 8), "SqueezeExcitation(32, 8)"),
        (norms.make_norm("group", 32), "nn.GroupNorm(4, 32)"),
        (norms.make_norm("layer", 1), "GroupNorm(1)"),
        (norms.make_norm("mln", 8, 3), "MLN(8, layers=3)"),
        (norms.make_norm("lrn", 8), "LRN(8)"),
        (norms.make_norm("none", 8), "nn.Identity()"),
        (nn.MaxPool2d(2), "nn.MaxPool2d(2)"),
    ],
)
def test_a_layer_is_the_call_that_makes_it(module: nn.Module, text: str) -> None:
    assert layer(module) == text


def test_a_layer_without_a_call_is_refused_by_name() -> None:
    with pytest.raises(ArchitectureError, match="`Bilinear` cannot be written as Python"):
        layer(nn.Bilinear(2, 2, 2))


@settings(max_examples=40)
@given(architectures())
def test_no_call_says_what_goes_without_saying(architecture: Architecture) -> None:
    classes, network = network_source(build(architecture, (2, 16, 16), 3))
    text = "\n".join((*classes, network))
    assert not re.search(r"(stride=1|padding=0|groups=1|window=0|Dropout\(0.0)\b", text)
    assert len(classes) == len(architecture.stages)


def test_a_short_call_is_one_line_and_a_long_one_has_a_line_an_argument() -> None:
    assert call("chain", ["a=1", "b=2"]) == "chain(a=1, b=2)"
    assert call("f", ["a" * 60, "b" * 60]) == f"f(\n    {'a' * 60},\n    {'b' * 60},\n)"
    assert call("f", [call("g", ["a" * 80])]) == f"f(\n    g(\n        {'a' * 80},\n    ),\n)"


def test_the_short_inverted_residual_is_the_networks_own() -> None:
    own = substages.InvertedResidualBlock(4, 6, 5, expansion=3, stride=2).eval()
    short = inverted_residual(4, 12, 6, 5, stride=2).eval()
    short.load_state_dict(own.state_dict())
    images = torch.rand(2, 4, 9, 9)
    assert torch.equal(run(short, images), run(own, images))


def test_a_squeezed_block_is_written_layer_by_layer() -> None:
    text = layer(substages.InvertedResidualBlock(4, 8, expansion=2, squeeze=4))
    assert text.splitlines()[-4:] == [
        "    relu=nn.ReLU(),",
        "    squeeze=SqueezeExcitation(8, 8),",
        "    project=nn.Conv2d(8, 8, 1, bias=False),",
        ")",
    ]


def test_a_chain_calls_its_layers_in_order_and_names_their_weights() -> None:
    layers = chain(first=nn.Linear(2, 3), second=nn.Linear(3, 1))
    assert [*layers.state_dict()] == ["first.weight", "first.bias", "second.weight", "second.bias"]
    assert layers(torch.zeros(5, 2)).shape == (5, 1)

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    Identity,
    Stage,
    Stem,
)
from neptune_nas.errors import ArchitectureError, OwnCodeError
from neptune_nas.metrics.counted import Cost, CostModel, cost, count_part
from neptune_nas.nn.builder import build
from neptune_nas.nn.norms import LRN, MLN
from neptune_nas.nn.substages import SelfAttention
from tests.strategies import architectures

SHAPE = (3, 16, 16)
MODEL = CostModel(SHAPE, classes=4)


@given(architectures())
@settings(deadline=None, max_examples=80)
def test_the_sum_of_the_parts_is_the_count_on_the_whole_network(
    architecture: Architecture,
) -> None:
    assert MODEL.cost(architecture) == cost(build(architecture, SHAPE, outputs=4), SHAPE)


def test_a_strided_convolution_of_single_pixels_costs_what_its_output_does() -> None:
    strided = Architecture(Stem(4, 1, 2), (Stage(6, Identity(), 2, "none", "batch"),))
    (_, stem), (_, entry), *_ = MODEL.breakdown(strided)
    assert (stem.macs, entry.macs) == (8 * 8 * 3 * 4, 4 * 4 * 4 * 6)
    assert (stem.activations, entry.activations) == (8 * 8 * 4, 4 * 4 * 6)


@given(architectures())
@settings(deadline=None, max_examples=30)
def test_the_breakdown_adds_up_and_names_every_part(architecture: Architecture) -> None:
    rows = MODEL.breakdown(architecture)
    assert sum((row for _, row in rows), Cost(0, 0, 0)) == MODEL.cost(architecture)
    assert len({name for name, _ in rows}) == len(rows)


@given(
    st.integers(1, 4), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3)
)
@settings(deadline=None, max_examples=40)
def test_attention_costs_its_projections_and_two_products_of_all_pairs(
    heads: int, size: int, height: int, width: int, stride: int
) -> None:
    channels, queries = heads * size, height * width
    keys = -(-height // stride) * -(-width // stride)
    found = cost(SelfAttention(channels, heads, stride=stride), (channels, height, width))
    assert found == Cost(
        macs=2 * channels**2 * (queries + keys) + 2 * channels * queries * keys,
        params=4 * channels**2,
        activations=2 * channels * (queries + keys) + heads * queries * keys + channels * queries,
    )


@pytest.mark.parametrize("window", [2, 4])
def test_windows_cut_the_pairs_by_the_number_of_windows(window: int) -> None:
    found = cost(SelfAttention(8, 2, window=window), (8, 8, 8))
    assert found.macs == 4 * 8**2 * 64 + 2 * 8 * 64 * window**2


@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 20))
@settings(deadline=None, max_examples=40)
def test_lrn_costs_its_closed_form(channels: int, height: int, width: int) -> None:
    dim = max(4, channels // 8)
    steps = [min(side, max(2, -(-side // 4))) for side in (height, width)]
    keys = -(-height // steps[0]) * -(-width // steps[1])
    found = cost(LRN(channels), (channels, height, width))
    one_pixel = height * width == 1
    assert found == Cost(
        macs=0 if one_pixel else 2 * channels * keys * (dim + keys) + keys**2 * dim,
        params=2 * channels * (1 + dim),
        activations=0 if one_pixel else keys * (2 * dim + keys + 2 * channels),
    )


def test_lrn_costs_the_same_on_every_large_map() -> None:
    assert cost(LRN(16), (16, 32, 32)) == cost(LRN(16), (16, 61, 64))


def test_mln_costs_no_matrix_product_and_a_weight_a_layer() -> None:
    assert cost(MLN(8, layers=3), (8, 4, 4)) == Cost(macs=0, params=2 * 8 + 3, activations=0)


def test_counting_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cost(network, (3, 8, 8))
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


class Run(nn.Module):
    """A module that runs one function."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert callable(self.function)
        y: torch.Tensor = self.function(x)
        return y


@pytest.mark.parametrize(
    ("function", "macs"),
    [
        (lambda x: x @ x.mT, 2 * 4 * 6 * 4),
        (lambda x: torch.einsum("nchw,nchv->ncwv", x, x), 2 * 6 * 4 * 6),
        (lambda x: F.linear(x, x.new_ones(5, 6)), 2 * 4 * 6 * 5),
        (lambda x: F.linear(x, x.new_ones(5, 6), x.new_ones(5)), 2 * 4 * 6 * 5),
        (lambda x: x @ x.new_ones(6), 2 * 4 * 6),
        (lambda x: F.conv_transpose2d(x, x.new_ones(2, 3, 2, 2), stride=2), 2 * 4 * 6 * 3 * 4),
        (lambda x: F.conv2d(x, x.new_ones(4, 1, 3, 3), groups=2), 4 * 2 * 4 * 9),
        (lambda x: F.scaled_dot_product_attention(x, x, x), 2 * 2 * 4 * 4 * 6),
        (lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear"), 0),
        (lambda x: x.rsqrt() + F.gelu(x).softmax(-1), 0),
    ],
    ids=[
        "matmul",
        "einsum",
        "linear",
        "bias",
        "mv",
        "transposed",
        "grouped",
        "sdpa",
        "resize",
        "-",
    ],
)
def test_every_way_to_write_a_matrix_product_is_counted(function: object, macs: int) -> None:
    assert cost(Run(function), (2, 4, 6)).macs == macs


class Tokens(nn.Module):
    """Any module on the pixels as tokens."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> object:
        return self.inner(x.flatten(2).mT)


def test_torchs_own_encoder_layer_is_counted_in_full() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=12, batch_first=True)
    assert cost(Tokens(layer), (8, 4, 4)).macs == 16 * (4 * 64 + 2 * 8 * 12) + 2 * 8 * 16 * 16


def test_a_recurrent_layer_is_counted_step_by_step() -> None:
    assert cost(Tokens(nn.GRU(8, 8, batch_first=True)), (8, 4, 4)).macs == 16 * 2 * 3 * 64


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: torch.cdist(x, x), "cdist"),
        (lambda x: torch.fft.fft(x).real, "fft"),
        (lambda x: torch.linalg.svd(x)[0], "svd"),
        (lambda x: torch.ops.neptune_test.own(x), "neptune_test::own"),
    ],
)
def test_a_product_that_the_counter_does_not_know_is_refused_by_name(
    function: object, name: str
) -> None:
    with pytest.raises(OwnCodeError, match=f"operation `.*{name}.*may hold a matrix product"):
        cost(Run(function), (2, 4, 6))


@torch.library.custom_op("neptune_test::own", mutates_args=())
def own(x: torch.Tensor) -> torch.Tensor:
    """Return a custom operation that might do anything."""
    return x @ x.mT


@own.register_fake
def _(x: torch.Tensor) -> torch.Tensor:
    return x @ x.mT


@dataclass(frozen=True, slots=True)
class Distances:
    """A user's SubStage, with a product that the counter does not know."""

    def build(self, width: int) -> nn.Module:
        del width
        return Run(lambda x: x + torch.cdist(x, x).sum())


@dataclass(frozen=True, slots=True)
class Mixer:
    """A user's SubStage that is counted."""

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1, bias=False)


def test_an_error_names_the_substage_that_it_comes_from() -> None:
    architecture = Architecture(stages=(Stage(substages=(Conv(), Distances())),))
    with pytest.raises(OwnCodeError, match=r"^stages\.0\.substages\.1: operation.*cdist"):
        CostModel(SHAPE, 4).cost(architecture)


@dataclass(frozen=True, slots=True)
class TooNarrow:
    """A user's SubStage that cannot read what it gets."""

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width + 1, width, 1)


def test_torchs_own_complaint_is_told_with_the_substage_that_it_is_about() -> None:
    architecture = Architecture(stages=(Stage(substages=(TooNarrow(),)),))
    with pytest.raises(ArchitectureError, match=r"^stages\.0\.substages\.0: cannot run.*channel"):
        CostModel(SHAPE, 4).cost(architecture)


@dataclass(frozen=True, slots=True)
class Picky:
    """A user's SubStage whose code fails, when it is built or when it runs."""

    when: str

    def build(self, width: int) -> nn.Module:
        if self.when == "built":
            raise ValueError("an odd width is needed")
        if self.when == "on meta":
            assert torch.ones(width).sum().item()
        return nn.Bilinear(width, width, width)  # takes two maps and is given one


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (
            "built",
            r"`Picky\.build\(8\)` failed in line \d+ of test_counted\.py: ValueError: an",
        ),
        ("on meta", r"`Picky\.build\(8\)` cannot run on the meta device, .*meta"),
        ("run", r"`Picky` at width 8 failed: TypeError: .*input2"),
    ],
)
def test_a_users_own_substage_that_fails_is_named_with_its_width(when: str, message: str) -> None:
    architecture = Architecture(stages=(Stage(width=8, substages=(Picky(when),)),))
    with pytest.raises(OwnCodeError, match=rf"^stages\.0\.substages\.0: {message}") as caught:
        CostModel(SHAPE, 4).cost(architecture)
    assert isinstance(caught.value.__cause__, OwnCodeError | TypeError)


@dataclass(frozen=True, slots=True)
class Forgetful:
    """A user's SubStage whose `forward` asks for what there is not."""

    def build(self, width: int) -> nn.Module:
        return Run(lambda x: x * getattr(x, f"no_such_{width}"))


def test_the_line_of_a_users_own_file_that_fails_is_named() -> None:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = next(
        i for i, text in enumerate(lines, 1) if "no_such_{width}" in text and "lambda" in text
    )
    architecture = Architecture(stages=(Stage(width=8, substages=(Forgetful(),)),))
    message = rf"`Forgetful` at width 8 failed in line {line} of test_counted\.py: AttributeError: "
    with pytest.raises(OwnCodeError, match=message):
        CostModel(SHAPE, 4).cost(architecture)


def test_a_mistake_of_the_toolkits_own_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neptune_nas.metrics.counted.build_part", lambda _: 1 / 0)
    stem = MODEL.parts(Architecture())[0]
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        count_part(stem)


def test_a_users_own_substage_is_counted_by_name() -> None:
    stage = Stage(width=8, norm="none", substages=(Mixer(),))
    rows = dict(CostModel(SHAPE, 4).breakdown(Architecture(stages=(stage,))))
    assert rows["stages.0.substages.0"] == Cost(macs=64 * 64, params=64, activations=8 * 64)


def test_a_part_is_counted_once() -> None:
    model, architecture = CostModel(SHAPE, 4), Architecture(stages=(Stage(substages=(Conv(),)),))
    first, parts = model.cost(architecture), len(model.parts(architecture))
    assert model.cost(architecture) == first
    model.known.update(dict.fromkeys(model.known, Cost(1, 10, 100)))  # what no part costs
    assert model.cost(architecture) == Cost(parts, 10 * parts, 100 * parts)
    shared = len({*model.parts(architecture)} & {*model.parts(Architecture())})
    assert model.cost(Architecture()).params >= 10 * shared > 0


def test_no_more_parts_are_remembered_than_asked() -> None:
    model = CostModel(SHAPE, 4, remembered=5)
    for kernel in (1, 3, 5, 7):
        model.cost(Architecture(stages=(Stage(substages=(Conv(kernel),)),)))
    assert len(model.known) <= 5


def test_an_image_that_is_too_small_is_refused_before_anything_is_counted() -> None:
    model = CostModel((3, 2, 2), 4)
    with pytest.raises(ArchitectureError, match="at least 4x4 pixels"):
        model.cost(Architecture(stages=(Stage(), Stage())))
    assert not model.known


def light(**change: object) -> Cost:
    """Return a stage of 64 channels on 16x16 pixels with eight SubStages."""
    settings_ = {"width": 64, "entry": Identity(), "pool": "none", "norm": "batch", **change}
    return CostModel((3, 16, 16), 10).cost(Architecture(stages=(Stage(**settings_),)))  # type: ignore[arg-type]  # one of Stage's fields each


@pytest.mark.parametrize(
    ("sparse", "full"),
    [
        ((Conv(groups="depthwise"),), (Conv(),)),
        ((Conv(groups=4),), (Conv(),)),
        ((Attention(4, window=4),), (Attention(4),)),
        ((Attention(4, stride=4),), (Attention(4),)),
    ],
    ids=["depthwise", "grouped", "windowed", "strided"],
)
def test_sparse_operations_halve_the_macs_of_a_stage(
    sparse: tuple[object], full: tuple[object]
) -> None:
    assert 2 * light(substages=sparse * 8).macs <= light(substages=full * 8).macs


def test_sparse_connections_halve_the_macs_of_a_deep_stage_of_light_operations() -> None:
    depthwise = (Conv(groups="depthwise"),) * 16
    dense, sparse = (
        light(substages=depthwise, connections=wiring).macs for wiring in ("dense", "sparse")
    )
    assert 2 * sparse <= dense

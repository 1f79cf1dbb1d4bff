import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torchvision import ops
from torchvision.models._utils import _make_divisible

from neptune_nas.errors import ArchitectureError
from neptune_nas.nn.convolutions import StridedConv
from neptune_nas.nn.norms import BatchNorm
from neptune_nas.nn.stage import Cell
from neptune_nas.nn.substages import (
    Convolution,
    FeedForwardBlock,
    InvertedResidualBlock,
    Projection,
    SelfAttention,
    SqueezeExcitation,
    conv,
    join,
    split,
    squeezed_width,
)
from tests.nn.contract import WIDTH, ModuleContract, SubStageContract, images


class TestConvolution(SubStageContract):
    def make(self) -> nn.Module:
        return Convolution(WIDTH, WIDTH, 3)


class TestGroupedConvolution(SubStageContract):
    def make(self) -> nn.Module:
        return Convolution(WIDTH, WIDTH, 5, groups=2)


class TestDepthwiseConvolution(SubStageContract):
    def make(self) -> nn.Module:
        return Convolution(WIDTH, WIDTH, 3, groups="depthwise")


class TestInvertedResidual(SubStageContract):
    def make(self) -> nn.Module:
        return InvertedResidualBlock(WIDTH, WIDTH, expansion=2, norm="layer")


class TestInvertedResidualWithBatchNorm(SubStageContract):
    modes_differ = True

    def make(self) -> nn.Module:
        return InvertedResidualBlock(WIDTH, WIDTH, expansion=1)


class TestSqueezedInvertedResidual(SubStageContract):
    def make(self) -> nn.Module:
        return InvertedResidualBlock(WIDTH, WIDTH, expansion=2, norm="layer", squeeze=2)


class TestFeedForward(SubStageContract):
    def make(self) -> nn.Module:
        return FeedForwardBlock(WIDTH)


class TestSelfAttention(SubStageContract):
    def make(self) -> nn.Module:
        return SelfAttention(WIDTH, heads=2)


class TestWindowedAttention(SubStageContract):
    def make(self) -> nn.Module:
        return SelfAttention(WIDTH, heads=2, window=2)


class TestStridedAttention(SubStageContract):
    def make(self) -> nn.Module:
        return SelfAttention(WIDTH, heads=4, stride=2)


class TestWindowedStridedAttention(SubStageContract):
    def make(self) -> nn.Module:
        return SelfAttention(WIDTH, heads=1, window=4, stride=2)


class TestIdentity(SubStageContract):
    def make(self) -> nn.Module:
        return Projection(WIDTH, WIDTH)


class TestCell(SubStageContract):
    def make(self) -> nn.Module:
        return Alone(Cell(Convolution(WIDTH, WIDTH), WIDTH, "lrn", sources=2, layers=3))


class TestStridedDepthwiseConvolution(ModuleContract):
    def make(self) -> nn.Module:
        return Convolution(WIDTH, WIDTH, 5, stride=2, groups="depthwise")

    def output_shape(self, x: torch.Tensor) -> tuple[int, ...]:
        return (*x.shape[:2], -(-x.shape[2] // 2), -(-x.shape[3] // 2))


class Alone(nn.Module):
    """A cell that reads one map twice."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.cell([x, x])[-1]
        return y


@pytest.mark.parametrize("sides", [(4, 5), (9, 11)], ids=["few keys", "many keys"])
def test_attention_agrees_with_torchs_multi_head_attention(sides: tuple[int, int]) -> None:
    ours, x = SelfAttention(WIDTH, heads=2), images(*sides)
    theirs = nn.MultiheadAttention(WIDTH, 2, bias=False, batch_first=True)
    with torch.no_grad():
        stacked = torch.cat((ours.query.weight, ours.key_value.weight)).flatten(1)
        theirs.in_proj_weight.copy_(stacked)
        theirs.out_proj.weight.copy_(ours.project.weight.flatten(1))
    tokens = x.flatten(2).mT
    expected, _ = theirs(tokens, tokens, tokens)
    assert torch.allclose(ours(x), expected.mT.reshape(x.shape), atol=1e-5)


def test_a_windowed_attention_never_looks_outside_its_window() -> None:
    attention, x = SelfAttention(WIDTH, heads=2, window=3), images(6, 6)
    changed = x.clone()
    changed[:, :, 3:, :] += 1
    assert torch.allclose(attention(x)[:, :, :3], attention(changed)[:, :, :3], atol=1e-6)


def test_a_window_as_large_as_the_map_is_plain_attention() -> None:
    attention, x = SelfAttention(WIDTH, heads=2, window=6), images(6, 6)
    expected = attention.project(attention.attend(x))
    assert torch.equal(attention(x), expected)


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_joining_windows_undoes_splitting(n: int, window: int, rows: int, columns: int) -> None:
    x = torch.randn(n, 2, rows * window, columns * window)
    assert torch.equal(join(split(x, window), x.shape), x)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.sampled_from((1, 3, 5)))
@settings(deadline=None, max_examples=50)
def test_every_entry_maps_a_side_to_itself_over_the_stride_rounded_up(
    height: int, width: int, stride: int, kernel: int
) -> None:
    expected = (2, 6, -(-height // stride), -(-width // stride))
    entries = (
        Convolution(4, 6, kernel, stride=stride),
        InvertedResidualBlock(4, 6, kernel, stride=stride),
        Projection(4, 6, stride),
    )
    for entry in entries:
        assert tuple(entry(torch.zeros(2, 4, height, width)).shape) == expected


def test_a_convolution_begins_with_a_relu_and_ends_linear() -> None:
    module, x = Convolution(WIDTH, WIDTH), images(4, 4)
    assert torch.equal(module(x), module.conv(F.relu(x)))


@pytest.mark.parametrize("norm", ["lrn", "mln"])
def test_an_inverted_residual_keeps_batch_norm_inside_where_the_stages_norm_looks_elsewhere(
    norm: str,
) -> None:
    norms = [
        m for m in InvertedResidualBlock(8, 8, norm=norm).modules() if isinstance(m, BatchNorm)
    ]
    assert len(norms) == 2


def test_squeeze_and_excitation_agrees_with_torchvisions() -> None:
    ours, x = SqueezeExcitation(WIDTH, 3), images(5, 4)
    theirs = ops.SqueezeExcitation(WIDTH, 3)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)


@given(st.integers(1, 2000), st.integers(1, 16))
def test_a_squeeze_is_as_wide_as_in_mobilenet_v3(inner: int, squeeze: int) -> None:
    assert squeezed_width(inner, squeeze) == _make_divisible(inner // squeeze, 8)


def test_a_squeezed_block_for_other_channels_has_the_same_squeeze() -> None:
    block = InvertedResidualBlock(8, 8, squeeze=2).accepting(24)
    assert isinstance(block.squeeze, SqueezeExcitation)
    assert block.squeeze.squeeze.out_channels == squeezed_width(24 * 4, 2) == 48


@pytest.mark.parametrize(
    ("widths", "kernel", "stride", "groups", "precise"),
    [
        ((8, 8), 3, 1, 8, False),
        ((8, 8), 5, 1, 8, True),
        ((8, 8), 3, 2, 8, True),
        ((8, 16), 3, 1, 8, True),
        ((8, 8), 3, 1, 2, False),
        ((3, 8), 3, 1, 1, False),
    ],
)
def test_thin_groups_are_convolved_in_float32_under_autocast_on_a_cpu(
    widths: tuple[int, int], kernel: int, stride: int, groups: int, precise: bool
) -> None:
    module, x = conv(*widths, kernel, stride=stride, groups=groups), torch.randn(2, widths[0], 9, 9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = module(x)
    assert low.dtype == torch.bfloat16
    assert torch.equal(low, module(x).bfloat16()) is precise


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ArchitectureError, match="heads` must divide the width, but 3 does not"):
        SelfAttention(8, heads=3)


def test_groups_that_do_not_divide_both_widths_are_refused() -> None:
    with pytest.raises(ArchitectureError, match="groups` must divide both widths, but 4"):
        Convolution(8, 6, groups=4)


@pytest.mark.parametrize("groups", [1, 2])
def test_weights_that_meet_nothing_but_padding_have_no_gradient(groups: int) -> None:
    module = conv(16, 32, 3, stride=2, groups=groups).to(memory_format=torch.channels_last)
    assert type(module) is StridedConv
    x = torch.randn(64, 16, 1, 1)
    for _ in range(5):
        junk = [torch.full((n,), float("nan")) for n in (288, 2304, 4608, 9216)]
        del junk  # what memory holds that is given out next
        module.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            y = module(x)
        y.float().square().sum().backward()
        assert module.weight.grad is not None
        outer = module.weight.grad.flatten(2)[:, :, [0, 1, 2, 3, 5, 6, 7, 8]]
        assert torch.equal(outer, torch.zeros_like(outer))
        assert module.weight.grad[:, :, 1, 1].abs().sum() > 0


def test_maps_at_least_as_large_as_the_stride_stay_in_autocast() -> None:
    module, x = conv(4, 4, 3, stride=2), torch.randn(2, 4, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        plain = torch.conv2d(x, module.weight, None, 2, 1)
        assert torch.equal(module(x), plain)

from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from neptune_nas.architecture.records import NORMS, Norm
from neptune_nas.errors import ArchitectureError
from neptune_nas.nn.norms import (
    EPS,
    KINDS,
    LRN,
    MLN,
    cell_sizes,
    even_groups,
    filled,
    inner_norm,
    make_norm,
)
from tests.nn.contract import WIDTH, NormContract, images, shake

SIDES = st.integers(1, 19)
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 9), SIDES, SIDES).filter(
    lambda shape: shape[2] * shape[3] > 1
)
SCALES = st.sampled_from((0.01, 1.0, 30.0))


class TestBatchNorm(NormContract):
    modes_differ = True

    def make(self) -> nn.Module:
        return make_norm("batch", WIDTH)

    def test_one_image_with_one_pixel_cannot_train_and_says_why(self) -> None:
        with pytest.raises(ArchitectureError, match="more than one value a channel"):
            self.make()(images(1, 1, batch=1))


class TestLayerNorm(NormContract):
    def make(self) -> nn.Module:
        return make_norm("layer", WIDTH)


class TestGroupNorm(NormContract):
    def make(self) -> nn.Module:
        return make_norm("group", WIDTH)


class TestInstanceNorm(NormContract):
    def make(self) -> nn.Module:
        return make_norm("instance", WIDTH)


class TestRMSNorm(NormContract):
    def make(self) -> nn.Module:
        return make_norm("rms", WIDTH)


class TestLocalResponseNorm(NormContract):
    def make(self) -> nn.Module:
        return make_norm("local_response", WIDTH)


class TestNoNorm(NormContract):
    def make(self) -> nn.Module:
        return make_norm("none", WIDTH)


class TestLRN(NormContract):
    def make(self) -> nn.Module:
        return make_norm("lrn", WIDTH)


class TestMLN(NormContract):
    def make(self) -> nn.Module:
        return WithEarlier(MLN(WIDTH, layers=3))


class WithEarlier(nn.Module):
    """An MLN that finds two earlier layers, made from its input."""

    def __init__(self, norm: MLN) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x, [x * 2 + 1, x.square()])
        return y


def noise(shape: tuple[int, ...], scale: float, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale + scale


def straight_lrn(norm: LRN, x: Tensor) -> Tensor:
    """Return the formula word for word, one query and one key per pixel, shared by a cell."""
    z = F.instance_norm(x, eps=EPS)
    size = [min(side, max(2, -(-side // norm.grid))) for side in x.shape[2:]]
    pooled = F.avg_pool2d(z, size, ceil_mode=True)
    cells = pooled.repeat_interleave(size[0], 2).repeat_interleave(size[1], 3)
    cells = cells[:, :, : x.shape[2], : x.shape[3]].flatten(2)
    query, key = norm.query @ cells, norm.key @ cells * x.shape[1] ** -0.5
    weights = torch.einsum("ndk,ndp->nkp", key, query).softmax(1)
    weights = (weights + 1 / weights.shape[1]) / 2
    mean = x.flatten(2) @ weights
    differences = x.flatten(2)[:, :, :, None] - mean[:, :, None, :]
    variance = torch.einsum("nckp,nkp->ncp", differences.square(), weights)
    y = (x.flatten(2) - mean) / (variance + EPS).sqrt()
    return (y * norm.weight[:, None] + norm.bias[:, None]).view_as(x)


@given(SHAPES, SCALES, st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_lrn_with_uniform_weights_is_instance_norm(
    shape: tuple[int, ...], scale: float, seed: int
) -> None:
    x = noise(shape, scale, seed).double()  # in float32, two near pixels far from 0 round too far
    assert torch.allclose(LRN(shape[1]).double()(x), F.instance_norm(x), atol=1e-5, rtol=1e-5)


@given(SHAPES, st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_lrn_is_its_formula_written_out_pixel_by_pixel(shape: tuple[int, ...], seed: int) -> None:
    torch.manual_seed(seed)
    norm, x = LRN(shape[1]).double(), noise(shape, 1.0, seed).double()
    shake(norm.parameters())
    assert torch.allclose(norm(x), straight_lrn(norm, x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("channels", [8, 32])
def test_lrn_stays_finite_where_part_of_the_map_is_flat(channels: int) -> None:
    norm = LRN(channels)
    shake(norm.parameters())
    with torch.no_grad():
        norm.query.mul_(100)  # attention to one cell only
    x = torch.zeros(1, channels, 16, 16)
    x[:, :, 9:, 9:] = 1e3
    x.requires_grad_()
    norm(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@given(SHAPES, SCALES, st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_lrn_never_scales_a_map_up_more_than_sqrt_2_times_instance_norm(
    shape: tuple[int, ...], scale: float, seed: int
) -> None:
    torch.manual_seed(seed)
    norm, x = LRN(shape[1]), noise(shape, scale, seed).relu()  # with flat parts
    with torch.no_grad():
        norm.query.normal_(std=100)  # attention to one cell only
    spread = x.amax((2, 3)) - x.amin((2, 3))
    limit = (2 / (x.var((2, 3), correction=0) + EPS)).sqrt() * spread
    assert (norm(x).abs().amax((2, 3)) <= limit * 1.001 + 1e-5).all()


@pytest.mark.parametrize("kind", ["layer", "group", "instance", "rms", "lrn", "mln"])
def test_statistics_of_a_bfloat16_map_are_taken_in_float32(kind: str) -> None:
    norm, x = make_norm(kind, WIDTH, layers=2), (images(8, 8) + 30).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = norm(x, [x])
    assert low.dtype == torch.bfloat16
    assert torch.allclose(low.float(), norm(x.float(), [x.float()]), atol=0.01, rtol=0.01)


@given(SHAPES, SCALES, st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_mln_with_one_layer_is_layer_norm(shape: tuple[int, ...], scale: float, seed: int) -> None:
    x = noise(shape, scale, seed)
    expected = F.layer_norm(x, x.shape[1:])
    assert torch.allclose(MLN(shape[1])(x), expected, atol=1e-5, rtol=1e-5)
    assert torch.allclose(MLN(shape[1], layers=3)(x, [x, x]), expected, atol=1e-5, rtol=1e-5)


def test_mln_mixes_the_statistics_of_the_latest_layers_first() -> None:
    norm, x = MLN(2, layers=2), noise((1, 2, 3, 3), 1.0, 0)
    latest, oldest = x * 5 + 2, x * 100
    assert norm.mixture is not None
    with torch.no_grad():
        norm.mixture.copy_(torch.tensor([-50.0, 50.0]))
    expected = (x - latest.mean()) / (latest.var(correction=0) + EPS).sqrt()
    assert torch.allclose(norm(x, [oldest, latest]), expected, atol=1e-5)


def test_an_instance_norm_of_one_pixel_keeps_what_tells_channels_apart() -> None:
    x = images(1, 1)
    for kind in ("instance", "lrn"):
        assert torch.allclose(make_norm(kind, WIDTH)(x), F.layer_norm(x, x.shape[1:]), atol=1e-6)


@pytest.mark.parametrize("kind", NORMS)
def test_only_norms_that_look_elsewhere_are_replaced_inside_an_operation(kind: Norm) -> None:
    assert inner_norm(kind) == ("batch" if kind in ("lrn", "mln") else kind)


def test_layer_and_rms_norm_are_torchs_own() -> None:
    x = images(5, 4)
    assert torch.allclose(make_norm("layer", WIDTH)(x), F.layer_norm(x, x.shape[1:]), atol=1e-6)
    assert torch.allclose(
        make_norm("rms", WIDTH)(x), F.rms_norm(x, x.shape[1:], eps=EPS), atol=1e-6
    )


def test_every_named_norm_can_be_made() -> None:
    assert set(KINDS) == set(get_args(Norm))


def test_an_unknown_norm_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ArchitectureError, match="norm 'bach': unknown, did you mean 'batch'"):
        make_norm("bach", 8)


@given(st.integers(1, 300))
def test_groups_divide_the_channels_and_hold_eight_where_there_are_as_many(channels: int) -> None:
    groups = even_groups(channels)
    assert channels % groups == 0
    assert channels // groups >= min(8, channels)


class OnDeviceOnly(TorchFunctionMode):
    """Refuses what would make the host and an accelerator wait for each other."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func not in (torch.tensor, Tensor.new_tensor, Tensor.item, Tensor.tolist), func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [1, 7, 8])
def test_no_norm_makes_the_host_wait_for_a_device(kind: str, side: int) -> None:
    norm, x = make_norm(kind, 8, layers=2), torch.rand(3, 8, side, side)
    with OnDeviceOnly():
        assert norm(x, [x]).shape == x.shape


@given(side=st.integers(1, 70), grid=st.integers(1, 5))
def test_the_sides_of_cells_are_made_where_the_map_is(side: int, grid: int) -> None:
    sides = cell_sizes(side, grid)
    assert filled(torch.empty(1), sides).tolist() == sides
    assert filled(torch.empty(1, device="meta"), sides).device.type == "meta"

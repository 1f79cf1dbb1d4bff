"""Graphs with fewer operations."""

import pytest
import torch
from torch import nn

from neptune_nas.graphs.fusion import fuse, merge
from neptune_nas.graphs.graph import Operation
from neptune_nas.graphs.lowering import UnsupportedOperationError, lower
from tests.graphs.test_lowering import Beside, norm


def fused(network: nn.Module, side: int = 12) -> list[Operation]:
    """Return the operations of a network for images of 3 channels."""
    return [*fuse(lower(network.eval(), torch.rand(1, 3, side, side))).operations]


def kinds(network: nn.Module) -> list[str]:
    """Return the kinds of a network's operations, each with its activation."""
    return [f"{each.kind} {each.activation}" for each in fused(network)]


def test_norms_and_activations_disappear_into_the_operation_before() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), norm(4), norm(4), nn.ReLU(), nn.Conv2d(4, 5, 1))
    assert kinds(network) == ["conv relu", "conv none"]


@pytest.mark.parametrize(
    ("layers", "activation"),
    [
        ((nn.ReLU(), nn.ReLU()), "relu"),
        ((nn.ReLU6(), nn.ReLU()), "relu6"),
        ((nn.ReLU(), nn.ReLU6()), "relu6"),
    ],
)
def test_of_two_activations_one_remains(layers: tuple[nn.Module, ...], activation: str) -> None:
    assert kinds(nn.Sequential(nn.Conv2d(3, 4, 3), *layers)) == [f"conv {activation}"]


def test_a_norm_behind_an_activation_is_an_operation() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), norm(4), nn.ReLU6())
    assert kinds(network) == ["conv relu", "depthwise relu6"]


def test_what_two_operations_read_stays() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), Beside(nn.Identity(), nn.ReLU(), torch.add))
    assert kinds(network) == ["conv none", "relu none", "add none"]


def test_a_norm_moves_before_an_average_pooling_if_a_convolution_takes_it_in() -> None:
    pooled = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AvgPool2d(2), norm(4))
    assert kinds(pooled) == ["conv none", "average_pool none"]
    active = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AvgPool2d(2), norm(4))
    assert kinds(active) == ["conv relu", "average_pool none", "depthwise none"]


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding", "written"),
    [(12, 3, 1, 1, 3), (12, 3, 2, 1, 4), (13, 3, 2, 1, 3), (12, 5, 2, 2, 6), (13, 3, 2, 0, 3)],
)
def test_a_kernel_grows_where_the_file_would_pad_elsewhere(
    side: int, kernel: int, stride: int, padding: int, written: int
) -> None:
    (operation,) = fused(nn.Conv2d(3, 4, kernel, stride, padding), side)
    assert operation.kernel == (written, written)
    weight = operation.constant.weight
    assert weight is not None
    assert weight.shape[2:] == operation.kernel
    assert not weight[:, :, kernel:].any()


def test_a_padding_that_no_kernel_has_is_refused() -> None:
    with pytest.raises(UnsupportedOperationError, match="3 pixels with stride 1 and padding 2"):
        fused(nn.Conv2d(3, 4, 3, padding=2))


def test_a_scale_of_a_vector_that_no_layer_takes_in_is_refused() -> None:
    layers = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4))
    with pytest.raises(UnsupportedOperationError, match="a scale and shift of a vector"):
        fused(nn.Sequential(*layers))


def test_merging_again_changes_nothing() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AvgPool2d(2), norm(4), nn.ReLU(), norm(4))
    once = merge(lower(network.eval(), torch.rand(1, 3, 8, 8)))
    assert merge(once) == once

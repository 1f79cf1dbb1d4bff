import pytest
from torch import nn

from neptune_nas.devices.mode import Kind
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.nn.substages import Convolution, InvertedResidual, SelfAttention
from neptune_nas.training.kinds import kind_of


@pytest.mark.parametrize(
    ("network", "kind"),
    [
        (nn.Sequential(Convolution(8, 8), SelfAttention(8)), "attention"),
        (nn.Sequential(InvertedResidual(8, 8), SelfAttention(8)), "attention"),
        (nn.Sequential(Convolution(8, 8), InvertedResidual(8, 8)), "depthwise"),
        (nn.Sequential(Convolution(8, 8, groups=2)), "depthwise"),
        (nn.Sequential(Convolution(8, 8), nn.Flatten(), nn.Linear(8, 2)), "dense"),
    ],
)
def test_a_network_is_of_a_kind_by_what_it_holds(network: nn.Module, kind: Kind) -> None:
    assert kind_of(network) == kind


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (nn.MultiheadAttention(8, 2), "attention"),
        (nn.Conv2d(8, 8, 3, groups=8), "depthwise"),
        (nn.Conv2d(8, 8, 3), "dense"),
    ],
)
def test_what_a_user_builds_of_torch_s_own_modules_counts(inner: nn.Module, kind: Kind) -> None:
    assert kind_of(nn.Sequential(nn.Sequential(inner))) == kind


@pytest.mark.parametrize(
    ("name", "kind"), [("resnet8", "dense"), ("mobilenet_v3_small", "depthwise")]
)
def test_hand_designed_networks_are_of_a_kind_too(name: str, kind: Kind) -> None:
    assert kind_of(ReferenceNetwork(name, (3, 8, 8), 10).build()) == kind

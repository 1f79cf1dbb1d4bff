import pytest
import torch
from torch import nn

from neptune_nas.nn.convolutions import FullPrecisionConv, StridedConv
from neptune_nas.nn.published import CREATE, published


def build(name: str, channels: int = 3, *, small: bool = True) -> nn.Module:
    with torch.device("meta"):
        return published(name, channels, 10, small=small)


def form(convolution: nn.Module) -> list[object]:
    names = (
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
    )
    return [getattr(convolution, name) for name in (*names, "padding_mode")]


def strides(network: nn.Module) -> list[object]:
    kinds = (nn.Conv2d, nn.MaxPool2d)
    return [module.stride for module in network.modules() if isinstance(module, kinds)]


@pytest.mark.parametrize("name", CREATE)
def test_nothing_but_the_first_stride_differs_between_small_and_large_images(name: str) -> None:
    small, large = strides(build(name)), strides(build(name, small=False))
    assert (small[0], large[0]) == ((1, 1), (2, 2))
    assert small[1:] == large[1:]


@pytest.mark.parametrize("name", CREATE)
def test_batch_norms_follow_short_trainings(name: str) -> None:
    norms = [m for m in build(name).modules() if isinstance(m, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} <= {0.1}
    assert norms or name == "squeezenet1_1"


def test_weights_are_torchvisions_for_three_channels_and_new_for_others() -> None:
    torch.manual_seed(0)
    theirs = CREATE["shufflenet_v2_x0_5"]().state_dict()["conv1.0.weight"]
    torch.manual_seed(0)
    assert torch.equal(
        published("shufflenet_v2_x0_5", 3, 10, small=True).state_dict()["conv1.0.weight"], theirs
    )
    grey = published("shufflenet_v2_x0_5", 1, 10, small=True).state_dict()["conv1.0.weight"]
    assert grey.shape == (24, 1, 3, 3)
    assert 0 < grey.std() < 1


@pytest.mark.parametrize("name", CREATE)
def test_convolutions_keep_their_form_and_weights(name: str) -> None:
    with torch.device("meta"):
        theirs = CREATE[name](num_classes=10)
    torch.manual_seed(0)
    ours = dict(published(name, 3, 10, small=False).named_modules())
    torch.manual_seed(0)
    weights = CREATE[name](num_classes=10).state_dict()
    for place, module in theirs.named_modules():
        if isinstance(module, nn.Conv2d):
            assert form(ours[place]) == form(module)
            assert torch.equal(ours[place].get_parameter("weight"), weights[f"{place}.weight"])


def test_convolutions_are_as_exact_as_the_own_ones() -> None:
    kinds = {type(m) for m in build("mobilenet_v2").modules() if isinstance(m, nn.Conv2d)}
    assert kinds == {nn.Conv2d, FullPrecisionConv}
    assert StridedConv in {type(m) for m in build("resnet18").modules()}

import pytest
import torch

from neptune_nas.nn.resnet import ResidualBlock, ResNet


@pytest.mark.parametrize("bias", [False, True])
def test_a_strided_block_halves_sizes_rounding_up(bias: bool) -> None:
    block = ResidualBlock(4, 8, 2, bias=bias)
    assert block(torch.zeros(2, 4, 7, 8)).shape == (2, 8, 4, 4)


def test_a_block_that_keeps_the_shape_adds_its_input() -> None:
    block = ResidualBlock(4, 4, bias=False)
    torch.nn.init.zeros_(block.body[-1].weight)  # type: ignore[arg-type]  # a batch norm's
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x.relu())


def test_shortcuts_have_norms_where_convolutions_have_no_bias() -> None:
    with_norm, without = (ResNet(3, 10, blocks=1, bias=bias) for bias in (False, True))
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in with_norm.modules()) == 9
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in without.modules()) == 7

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from neptune_nas.errors import ArchitectureError, OwnCodeError
from neptune_nas.nn.norms import MLN
from neptune_nas.nn.stage import Cell, StageBlock
from neptune_nas.nn.substages import Convolution, InvertedResidualBlock
from tests.nn.contract import WIDTH, ModuleContract, images


class TestStage(ModuleContract):
    def make(self) -> nn.Module:
        return StageBlock(WIDTH, WIDTH, pool="none")


class TestDenseStage(ModuleContract):
    def make(self) -> nn.Module:
        ops = [Convolution(WIDTH, WIDTH, 1), None, Convolution(WIDTH, WIDTH, 3)]
        sources = [(0,), (0, 1), (0, 1, 2)]
        return StageBlock(WIDTH, WIDTH, pool="none", norm="mln", substages=ops, sources=sources)


@pytest.mark.parametrize("pool", ["max", "avg", "conv"])
def test_every_pooling_halves_the_map(pool: str) -> None:
    assert StageBlock(3, 8, pool=pool)(torch.zeros(2, 3, 9, 6)).shape == (2, 8, 4, 3)


def test_a_stage_is_entry_pool_norm_and_then_its_substages_with_shortcuts() -> None:
    stage = StageBlock(WIDTH, 4, pool="avg", norm="layer", substages=[Convolution(4, 4)])
    x = images(6, 6)
    y = stage.norm(F.avg_pool2d(stage.entry(x), 2))
    (cell,) = stage.substages
    assert isinstance(cell, Cell)
    assert cell.op is not None
    assert torch.allclose(stage(x), y + cell.norm(cell.op(y)), atol=1e-6)


def test_a_chain_has_no_shortcuts() -> None:
    ops = [Convolution(WIDTH, WIDTH)]
    stage = StageBlock(WIDTH, WIDTH, pool="none", norm="layer", substages=ops, residual=False)
    x = images(4, 4)
    (cell,) = stage.substages
    assert torch.equal(stage(x), cell([stage.norm(stage.entry(x))])[-1])


def test_a_substage_reads_the_outputs_it_names_and_no_others() -> None:
    ops = [Convolution(WIDTH, WIDTH) for _ in range(3)]
    sources = [(0,), (0,), (1, 2)]
    stage = StageBlock(
        WIDTH, WIDTH, pool="none", norm="none", substages=ops, sources=sources, residual=False
    )
    x = images(4, 4)
    first = stage.entry(x)
    second, third = (stage.substages[i]([first])[-1] for i in (0, 1))
    assert torch.equal(stage(x), stage.substages[2]([second, third])[-1])


def test_an_identity_substage_changes_nothing_and_has_no_weights() -> None:
    cell = Cell(None, WIDTH, "batch", residual=True)
    x = images(4, 4)
    assert torch.equal(cell([x])[-1], x)
    assert not list(cell.parameters())


def test_mln_finds_the_entry_and_every_earlier_substage() -> None:
    ops = [Convolution(WIDTH, WIDTH), None, Convolution(WIDTH, WIDTH)]
    stage = StageBlock(WIDTH, WIDTH, norm="mln", substages=ops)
    norms = [norm for norm in stage.modules() if isinstance(norm, MLN)]
    seen: list[int] = []
    for norm in norms:
        norm.register_forward_pre_hook(lambda _, args: seen.append(sum(map(len, args[1:]))))
    stage(images(4, 4))
    assert seen == [0, 1, 2]
    assert [0 if n.mixture is None else len(n.mixture) for n in norms] == [0, 2, 3]


def test_an_inverted_residual_entry_that_keeps_the_shape_has_a_shortcut() -> None:
    def stage(entry: nn.Module, pool: str = "none") -> StageBlock:
        return StageBlock(WIDTH, WIDTH, entry=entry, pool=pool, norm="layer", substages=[])

    block, x = InvertedResidualBlock(WIDTH, WIDTH, norm="layer"), images(4, 4)
    with_shortcut = stage(block)
    assert torch.allclose(with_shortcut(x), x + with_shortcut.norm(block(x)))
    assert not stage(Convolution(WIDTH, WIDTH)).shortcut
    assert not stage(block, pool="max").shortcut


def test_a_substage_that_changes_the_shape_is_refused_by_name() -> None:
    stage = StageBlock(WIDTH, WIDTH, substages=[nn.Conv2d(WIDTH, WIDTH, 3)])
    with pytest.raises(OwnCodeError, match="SubStage `Conv2d` must keep the shape"):
        stage(images(8, 8))


def test_an_unknown_pooling_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ArchitectureError, match="pool 'maxx': unknown, did you mean 'max'"):
        StageBlock(3, 8, pool="maxx")


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pool", ["none", "avg"])
def test_the_least_side_is_enough_and_one_pixel_less_is_not(stride: int, pool: str) -> None:
    stage = StageBlock(3, 8, stride=stride, pool=pool, substages=[])
    least = stage.least(2)
    assert stage(torch.zeros(1, 3, least, least)).shape[2] >= 2
    assert stage(torch.zeros(1, 3, least - 1, least - 1)).shape[2] < 2

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from neptune_nas.errors import ArchitectureError
from neptune_nas.nn.network import Neptune
from neptune_nas.nn.stage import StageBlock
from neptune_nas.nn.substages import Convolution, InvertedResidualBlock, Projection


def stage(in_channels: int, out_channels: int, entry: nn.Module | None = None) -> StageBlock:
    return StageBlock(in_channels, out_channels, entry=entry, pool="none", substages=[])


def network() -> Neptune:
    torch.manual_seed(0)
    return Neptune(3, stages=[stage(16, 8), stage(8, 12), stage(12, 6)], classes=4)


def shares_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def step(net: Neptune) -> tuple[float, float]:
    """Return the loss before and after a few steps on one batch."""
    x, y = torch.randn(16, 3, 8, 8), torch.arange(16) % 4
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    losses = []
    for _ in range(6):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's method has no types
        optimizer.step()
        losses.append(loss.item())
    return losses[0], losses[-1]


def test_the_defaults_make_a_working_network() -> None:
    assert Neptune(input_channels=10, num_stages=3)(torch.zeros(2, 10, 24, 17)).shape == (2, 10)


def test_the_features_of_every_stage_can_be_had_and_the_last_feeds_the_head() -> None:
    net, x = Neptune(num_stages=3).eval(), torch.randn(2, 3, 16, 16)
    maps = net.forward_features(x)
    assert [tuple(m.shape) for m in maps] == [(2, 32, 8, 8), (2, 64, 4, 4), (2, 128, 2, 2)]
    assert torch.equal(net.head(maps[-1]), net(x))


def test_the_smallest_image_works_and_a_smaller_one_is_told_the_size_needed() -> None:
    net = Neptune(num_stages=3).eval()
    assert net(torch.zeros(1, 3, 8, 8)).shape == (1, 10)
    with pytest.raises(ArchitectureError, match="at least 8x8 pixels, but got \\(1, 3, 8, 7\\)"):
        net(torch.zeros(1, 3, 8, 7))


def test_images_of_other_channels_are_refused() -> None:
    with pytest.raises(ArchitectureError, match="images \\(N, 3, H, W\\)"):
        Neptune()(torch.zeros(1, 1, 32, 32))


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_adding_a_stage_keeps_the_other_weights_and_the_result_trains(index: int) -> None:
    old = network()
    new = old.with_stage(index, stage(7, 10))
    kept = [s for i, s in enumerate(new.stages) if i not in (index, index + 1)]
    before = [s for i, s in enumerate(old.stages) if i != index]
    assert all(shares_weights(a, b) for a, b in zip(kept, before, strict=True))
    first, last = step(new)
    assert last < first


@pytest.mark.parametrize("index", [0, 1, 2])
def test_removing_a_stage_keeps_the_other_weights_and_the_result_trains(index: int) -> None:
    old = network()
    new = old.without_stage(index)
    assert [shares_weights(a, b) for a, b in zip(new.stages[:index], old.stages, strict=False)] == (
        [True] * index
    )
    first, last = step(new)
    assert last < first


def test_what_no_longer_fits_keeps_the_weights_of_the_channels_that_remain() -> None:
    old = network()
    new = old.without_stage(0)  # the next entry now reads 16 channels in place of 8
    before, after = (
        old.stages[1].get_parameter("entry.conv.weight"),
        new.stages[0].get_parameter("entry.conv.weight"),
    )
    assert after.shape[1] == 16
    assert torch.equal(after[:, :8], before)
    shorter = old.without_stage(2)  # the head now reads 12 in place of 6
    assert torch.equal(
        shorter.head.get_parameter("linear.weight")[:, :6], old.head.get_parameter("linear.weight")
    )


def test_the_old_network_is_left_as_it_was() -> None:
    old = network()
    before = {name: value.clone() for name, value in old.state_dict().items()}
    step(old.with_stage(1, stage(8, 8)))
    assert all(torch.equal(value, before[name]) for name, value in old.state_dict().items())


def test_inserting_and_removing_the_same_stage_gives_the_same_outputs() -> None:
    old, x = network().eval(), torch.randn(2, 3, 8, 8)
    assert torch.equal(old.with_stage(1, stage(8, 8)).without_stage(1).eval()(x), old(x))


@pytest.mark.parametrize(
    "entry",
    [
        Convolution(8, 12, 3, groups="depthwise"),
        InvertedResidualBlock(8, 12, norm="layer"),
        Projection(8, 12),
    ],
    ids=lambda entry: type(entry).__name__,
)
def test_every_entry_can_be_fitted_to_other_channels(entry: nn.Module) -> None:
    net = Neptune(3, stages=[stage(16, 8), stage(8, 12, entry)], classes=4)
    assert net.without_stage(0)(torch.randn(2, 3, 8, 8)).shape == (2, 4)


def test_an_own_entry_that_cannot_be_fitted_is_refused_by_name() -> None:
    net = Neptune(3, stages=[stage(16, 8), stage(8, 12, nn.Conv2d(8, 12, 1))])
    with pytest.raises(ArchitectureError, match="`Conv2d` cannot be fitted to 16 input channels"):
        net.without_stage(0)


@pytest.mark.parametrize("index", [-1, 4])
def test_a_stage_number_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(ArchitectureError, match=r"index must be in 0\.\.3"):
        network().with_stage(index, stage(8, 8))


def test_the_last_stage_cannot_be_removed() -> None:
    with pytest.raises(ArchitectureError, match="at least one stage"):
        Neptune(num_stages=1).without_stage(0)

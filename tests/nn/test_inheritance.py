from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    Identity,
    InvertedResidual,
    Stage,
    Stem,
    SubStage,
)
from neptune_nas.nn.builder import build
from neptune_nas.nn.inheritance import inherit
from neptune_nas.nn.network import Neptune
from neptune_nas.nn.references import ReferenceNetwork

SHAPE = (3, 16, 16)
STAGE = Stage(width=16, norm="batch", substages=(Conv(), Attention(heads=2)))
SMALL = Architecture(stem=Stem(width=8), stages=(STAGE, replace(STAGE, width=24)))


def trained(architecture: Architecture = SMALL, outputs: int = 10) -> Neptune:
    """Return a network whose every tensor differs from that of a fresh one."""
    network = build(architecture, SHAPE, outputs, seed=1)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.copy_(tensor + 1)
    return network


def at(network: nn.Module, name: str) -> Tensor:
    found: Tensor = network.state_dict()[name]
    return found


def fresh(architecture: Architecture = SMALL, outputs: int = 10) -> Neptune:
    return build(architecture, SHAPE, outputs, seed=2)


def test_the_same_architecture_inherits_everything() -> None:
    network, old = fresh(), trained()
    assert inherit(network, old, classifier=True) == 1.0
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, old.state_dict()[name]), name


def test_the_source_stays_as_it_was() -> None:
    network, old = fresh(), trained()
    before = {name: tensor.clone() for name, tensor in old.state_dict().items()}
    inherit(network, old, classifier=True)
    at(network, "stem.conv.weight").zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in old.state_dict().items())


def test_statistics_of_a_batch_norm_are_inherited() -> None:
    network, old = fresh(), trained()
    inherit(network, old, classifier=False)
    assert torch.equal(at(network, "stem.norm.running_var"), at(old, "stem.norm.running_var"))


@pytest.mark.parametrize(("outputs", "classifier"), [(10, False), (7, False)])
def test_for_other_classes_only_the_last_layer_is_fresh(outputs: int, classifier: bool) -> None:
    with_head = replace(SMALL, head=Head(width=32))
    network, old = fresh(with_head, outputs), trained(with_head)
    before = at(network, "head.linear.weight").clone()
    share = inherit(network, old, classifier=classifier)
    assert torch.equal(at(network, "head.linear.weight"), before)
    assert torch.equal(at(network, "head.conv.weight"), at(old, "head.conv.weight"))
    total = sum(each.numel() for each in network.parameters())
    assert share == 1 - (32 + 1) * outputs / total


def test_the_overlap_of_other_widths_is_inherited() -> None:
    wide = replace(SMALL, stages=(replace(STAGE, width=20), SMALL.stages[1]))
    network, old = fresh(wide), trained()
    before = at(network, "stages.0.entry.conv.weight").clone()
    assert 0 < inherit(network, old, classifier=True) < 1
    weight = at(network, "stages.0.entry.conv.weight")
    assert torch.equal(weight[:16], at(old, "stages.0.entry.conv.weight"))
    assert torch.equal(weight[16:], before[16:])


def test_keys_and_values_stay_apart() -> None:
    wide = replace(SMALL, stages=(replace(STAGE, width=20),))
    network, old = fresh(wide), trained()
    inherit(network, old, classifier=True)
    ours, theirs = (at(net, "stages.0.substages.1.op.key_value.weight") for net in (network, old))
    assert torch.equal(ours[:16, :16], theirs[:16])
    assert torch.equal(ours[20:36, :16], theirs[16:])


def test_sources_of_a_dense_stage_stay_apart() -> None:
    dense = replace(STAGE, connections="dense")
    old = trained(replace(SMALL, stages=(dense,)))
    network = fresh(replace(SMALL, stages=(replace(dense, width=20),)))
    inherit(network, old, classifier=True)
    ours, theirs = (at(net, "stages.0.substages.1.project.weight") for net in (network, old))
    assert torch.equal(ours[:16, :16], theirs[:, :16])
    assert torch.equal(ours[:16, 20:36], theirs[:, 16:32])


def with_kernel(kernel: int) -> Architecture:
    return replace(SMALL, stages=(replace(STAGE, substages=(Conv(kernel=kernel),)),))


def test_a_larger_kernel_does_at_first_what_the_smaller_one_did() -> None:
    network, old = fresh(with_kernel(5)).eval(), trained(with_kernel(3)).eval()
    inherit(network, old, classifier=True)
    images = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(images), old(images))


def test_a_smaller_kernel_is_the_centre_of_the_larger_one() -> None:
    network, old = fresh(with_kernel(3)), trained(with_kernel(5))
    inherit(network, old, classifier=True)
    ours, theirs = (at(net, "stages.0.substages.0.op.conv.weight") for net in (network, old))
    assert torch.equal(ours, theirs[:, :, 1:4, 1:4])


def test_substages_are_matched_by_kind_in_order() -> None:
    old = trained(
        replace(SMALL, stages=(replace(STAGE, substages=(Conv(), Conv(), Attention(2))),))
    )
    network = fresh(
        replace(SMALL, stages=(replace(STAGE, substages=(Attention(2), Identity(), Conv())),))
    )
    inherit(network, old, classifier=True)
    place = "stages.0.substages"
    query, last = at(network, f"{place}.0.op.query.weight"), at(old, f"{place}.2.op.query.weight")
    conv, first = at(network, f"{place}.2.op.conv.weight"), at(old, f"{place}.0.op.conv.weight")
    assert torch.equal(query, last)
    assert torch.equal(conv, first)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (Conv(groups=2), Conv(groups=4)),
        (Conv(groups="depthwise"), Conv()),
        (InvertedResidual(expansion=1), InvertedResidual(expansion=4)),
        (FeedForward(), Conv()),
    ],
)
def test_another_kind_of_substage_stays_fresh(new: SubStage, old: SubStage) -> None:
    network, other = (
        make(replace(SMALL, stages=(replace(STAGE, substages=(each,)),)))
        for make, each in ((fresh, new), (trained, old))
    )
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    inherit(network, other, classifier=True)
    inside = [name for name in before if name.startswith("stages.0.substages.0.op.")]
    assert inside
    assert all(torch.equal(before[name], at(network, name)) for name in inside)


def test_depthwise_convolutions_of_other_widths_overlap() -> None:
    block = replace(STAGE, substages=(InvertedResidual(expansion=3, squeeze=4),))
    old = trained(replace(SMALL, stages=(block,)))
    network = fresh(replace(SMALL, stages=(replace(block, width=24),)))
    inherit(network, old, classifier=True)
    ours, theirs = (at(net, "stages.0.substages.0.op.depthwise.weight") for net in (network, old))
    assert torch.equal(ours[:48], theirs)


def test_grouped_convolutions_of_other_widths_stay_fresh() -> None:
    block = replace(STAGE, substages=(Conv(groups=4),))
    old = trained(replace(SMALL, stages=(block,)))
    network = fresh(replace(SMALL, stages=(replace(block, width=24),)))
    before = at(network, "stages.0.substages.0.op.conv.weight").clone()
    inherit(network, old, classifier=True)
    assert torch.equal(at(network, "stages.0.substages.0.op.conv.weight"), before)


@pytest.mark.parametrize("channels", [(1, 3), (3, 1)])
def test_grey_images_count_as_colours_that_are_equal(channels: tuple[int, int]) -> None:
    new, old = (build(SMALL, (each, 16, 16), 10, seed=each).eval() for each in channels)
    inherit(new, old, classifier=True)
    grey = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    outputs = (
        net(grey.expand(-1, each, -1, -1)) for net, each in zip((new, old), channels, strict=True)
    )
    torch.testing.assert_close(*outputs)


def test_fewer_stages_and_other_norms_inherit_what_they_share() -> None:
    network, old = fresh(replace(SMALL, stages=(replace(STAGE, norm="lrn"),))), trained()
    before = at(network, "stages.0.norm.weight").clone()
    assert 0 < inherit(network, old, classifier=False) < 1
    assert torch.equal(at(network, "stages.0.norm.weight"), before)
    assert torch.equal(
        at(network, "stages.0.entry.conv.weight"), at(old, "stages.0.entry.conv.weight")
    )


def test_other_networks_inherit_by_name_where_shapes_agree() -> None:
    old, network = (ReferenceNetwork("resnet8", SHAPE, n).build(n) for n in (10, 7))
    share = inherit(network, old, classifier=True)
    names = [n for n, each in network.named_parameters() if each.shape == old.state_dict()[n].shape]
    copied = sum(network.state_dict()[name].numel() for name in names)
    assert share == copied / sum(each.numel() for each in network.parameters()) < 1
    for name in names:
        assert torch.equal(network.state_dict()[name], old.state_dict()[name])


def test_the_classifier_of_other_networks_is_their_last_layer() -> None:
    old, network = (ReferenceNetwork("resnet8", SHAPE, 10).build(n) for n in (0, 1))
    *_, last = (name for name, _ in network.named_parameters())
    before = network.state_dict()[last].clone()
    assert 0 < inherit(network, old, classifier=False) < 1
    assert torch.equal(network.state_dict()[last], before)


def test_networks_of_two_kinds_share_nothing() -> None:
    assert inherit(nn.Sequential(nn.Linear(3, 2)), trained(), classifier=True) == 0


class Rotation(nn.Module):
    """A user's operation, whose channels may mean anything."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.turn = nn.Parameter(torch.randn(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.turn[:, None, None]


@dataclass(frozen=True)
class Rotated:
    """A SubStage of a user's own."""

    def build(self, width: int) -> nn.Module:
        return Rotation(width)


@pytest.mark.parametrize(("width", "inherits"), [(16, True), (24, False)])
def test_a_users_own_substage_inherits_only_where_shapes_agree(width: int, inherits: bool) -> None:
    own = replace(STAGE, substages=(Rotated(),))
    network = fresh(replace(SMALL, stages=(replace(own, width=width),)))
    old = trained(replace(SMALL, stages=(own,)))
    inherit(network, old, classifier=True)
    ours, theirs = (at(net, "stages.0.substages.0.op.turn") for net in (network, old))
    assert torch.equal(ours[:16], theirs) == inherits


class Shared(nn.Module):
    """A network with one layer under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.again, self.last = self.first, nn.Linear(4, 2)


def test_a_layer_with_two_names_is_inherited_and_counted_once() -> None:
    network, old = Shared(), Shared()
    assert inherit(network, old, classifier=True) == 1
    assert torch.equal(network.again.weight, old.first.weight)

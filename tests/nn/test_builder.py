from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from neptune_nas.architecture.fields import UnknownRecord
from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    Head,
    Identity,
    Stage,
    Stem,
)
from neptune_nas.errors import ArchitectureError, OwnCodeError
from neptune_nas.metrics.counted import CostModel
from neptune_nas.nn.builder import (
    EntryPart,
    SubStagePlace,
    build,
    build_part,
    least_size,
    parts,
    stage_shape,
)
from neptune_nas.nn.convolutions import SampledConv
from neptune_nas.nn.stage import Cell
from tests.strategies import architectures

SHAPE = (3, 16, 16)


@dataclass(frozen=True, slots=True)
class Scale:
    """A user's SubStage."""

    factor: float = 2.0

    def build(self, width: int) -> nn.Module:
        return Times(width, self.factor)


class Times(nn.Module):
    def __init__(self, width: int, factor: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((width, 1, 1), factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


@dataclass(frozen=True, slots=True)
class Halved:
    """A user's SubStage that looks at every other pixel."""

    def build(self, width: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(width, width, 1, 2), nn.Upsample(scale_factor=2))


@dataclass(frozen=True, slots=True)
class Odd:
    """A user's SubStage whose code fails."""

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width // 0, width, 1)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A SubStage that builds no module."""

    def build(self, width: int) -> int:
        return width


@given(architectures())
@settings(deadline=None, max_examples=40)
def test_every_architecture_builds_a_network_that_trains(architecture: Architecture) -> None:
    network = build(architecture, SHAPE, outputs=4, seed=0)
    logits = network(torch.randn(2, *SHAPE))
    assert logits.shape == (2, 4)
    logits.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@given(architectures())
@settings(deadline=None, max_examples=40)
def test_the_parts_tell_the_shape_of_every_stages_map(architecture: Architecture) -> None:
    found = parts(architecture, SHAPE, outputs=4)
    entries = [part for part in found if isinstance(part.what, EntryPart)]
    told = [stage_shape(s, p.shape) for s, p in zip(architecture.stages, entries, strict=True)]
    network = build(architecture, SHAPE, outputs=4).eval()
    assert [tuple(m.shape[1:]) for m in network.forward_features(torch.zeros(1, *SHAPE))] == told


@given(architectures())
@settings(deadline=None, max_examples=40)
def test_the_least_size_is_enough_and_one_pixel_less_is_refused(architecture: Architecture) -> None:
    least = least_size(architecture)
    network = build(architecture, (3, least, least), outputs=2).eval()
    assert network.least == least
    assert network(torch.zeros(1, 3, least, least)).shape == (1, 2)
    if least > 1:
        with pytest.raises(ArchitectureError, match=f"at least {least}x{least} pixels"):
            build(architecture, (3, least, least - 1), outputs=2)


def test_records_of_other_networks_are_refused() -> None:
    message = r"only an `Architecture` can be built, or a record with `build\(.*this is a Stem: a"
    with pytest.raises(ArchitectureError, match=message):
        build(Stem(), (3, 32, 32), 10)  # type: ignore[call-overload]  # the mistake


@given(architectures())
@settings(deadline=None, max_examples=20)
def test_equal_seeds_give_equal_weights_and_leave_the_global_state(
    architecture: Architecture,
) -> None:
    state = torch.get_rng_state()
    first, second = (build(architecture, SHAPE, 4, seed=7).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_other_seeds_give_other_weights() -> None:
    first, second = (build(Architecture(), SHAPE, 4, seed=seed) for seed in (1, 2))
    assert not torch.equal(first.stem.conv.weight, second.stem.conv.weight)


def test_without_a_seed_the_global_state_decides() -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(5)
        networks.append(build(Architecture(), SHAPE, 4))
    assert torch.equal(networks[0].stem.conv.weight, networks[1].stem.conv.weight)


def test_parts_are_named_by_their_place() -> None:
    architecture = Architecture(stages=(Stage(), Stage(substages=(Conv(), Attention()))))
    names = [part.name for part in parts(architecture, SHAPE, 4)]
    inside = ["stages.1.substages.0", "stages.1.substages.1"]
    assert names == ["stem", "stages.0.entry", "stages.1.entry", *inside, "head"]


def test_parts_that_differ_in_name_only_are_equal() -> None:
    stage = Stage(width=16, pool="none", norm="batch", substages=(Conv(), Conv()))
    found = parts(Architecture(stem=Stem(16), stages=(stage, stage)), SHAPE, 4)
    assert found[1] == found[4]
    assert found[2] == found[5]
    assert len({*found}) == 4


def test_parts_of_mln_differ_by_the_layers_that_they_mix() -> None:
    stage = Stage(norm="mln", substages=(Conv(), Identity(), Conv(), Conv()))
    found = parts(Architecture(stages=(stage,)), SHAPE, 4)
    assert [part.what.layers for part in found if isinstance(part.what, SubStagePlace)] == [
        2,
        3,
        3,
        4,
    ]


def test_part_modules_stand_in_the_network_under_their_names() -> None:
    stage = Stage(substages=(Conv(), Attention()), connections="dense")
    architecture = Architecture(stages=(stage,), head=Head(width=8))
    network = build(architecture, SHAPE, 4)
    for part in parts(architecture, SHAPE, 4):
        alone = {name: value.shape for name, value in build_part(part).state_dict().items()}
        place = network.get_submodule(part.name.removesuffix(".entry")).state_dict()
        assert alone.items() <= {name: value.shape for name, value in place.items()}.items()


def test_an_identity_in_a_stage_is_nothing_at_all() -> None:
    one = Architecture(stages=(Stage(norm="batch", substages=(Conv(), Identity())),))
    other = Architecture(stages=(Stage(norm="batch", substages=(Conv(),)),))
    x = torch.randn(2, *SHAPE)
    assert torch.equal(build(one, SHAPE, 4, seed=1)(x), build(other, SHAPE, 4, seed=1)(x))


def test_a_users_own_substage_has_its_convolutions_mended() -> None:
    network = build(Architecture(stages=(Stage(8, substages=(Halved(),)),)), SHAPE, outputs=4)
    assert any(isinstance(module, SampledConv) for module in network.modules())


def test_a_users_own_substage_is_built_into_the_network() -> None:
    architecture = Architecture(stages=(Stage(substages=(Scale(3.0),)),))
    cell = build(architecture, SHAPE, 4).get_submodule("stages.0.substages.0")
    assert isinstance(cell, Cell)
    assert isinstance(cell.op, Times)


@pytest.mark.parametrize(
    ("substage", "message"),
    [
        (Wrong(), r"`Wrong\.build` must return a torch\.nn\.Module"),
        (Odd(), r"`Odd\.build\(32\)` failed in line \d+ of test_builder\.py: ZeroDivisionError: "),
        (Stem(), "must be one of"),
    ],
)
def test_what_builds_no_module_is_refused(substage: object, message: str) -> None:
    architecture = Architecture(stages=(Stage(substages=(substage,)),))
    with pytest.raises((ArchitectureError, OwnCodeError), match=message):
        build(architecture, SHAPE, 4)


def test_an_entry_that_cannot_change_the_width_is_refused() -> None:
    architecture = Architecture(stages=(Stage(entry=Scale()),))
    with pytest.raises(ArchitectureError, match=r"`Stage\.entry` must be a Conv"):
        build(architecture, SHAPE, 4)


def test_entry_groups_must_divide_the_width_before_them() -> None:
    with pytest.raises(ArchitectureError, match=r"`stages\.0\.entry`.*4 does not divide 6 and 8"):
        Architecture(stem=Stem(6), stages=(Stage(8, entry=Conv(groups=4)),))


@dataclass(frozen=True)
class Wrapper:
    """A user's record around another."""

    inner: Any

    def build(self, *_: object) -> nn.Module:
        raise AssertionError("it is given what it cannot build")


UNKNOWN = UnknownRecord("shop:Scale", (("build", 3),))


@pytest.mark.parametrize(
    "network",
    [
        UNKNOWN,
        Architecture(stages=(Stage(8, substages=(UNKNOWN,)),)),
        Architecture(stages=(Stage(8, entry=UNKNOWN),)),
        Architecture(stages=(Stage(8, substages=(Wrapper(UNKNOWN),)),)),
        Wrapper(UNKNOWN),
    ],
    ids=["root", "SubStage", "entry", "inside a SubStage", "inside a network"],
)
def test_a_record_of_unknown_class_is_not_built(network: Any) -> None:
    with pytest.raises(ArchitectureError, match=r"'shop:Scale', whose class is not allowed"):
        build(network, (1, 8, 8), 10)
    with pytest.raises(ArchitectureError, match=r"'shop:Scale', whose class is not allowed"):
        CostModel((1, 8, 8), 10).cost(network)

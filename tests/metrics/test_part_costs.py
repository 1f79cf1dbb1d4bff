"""Closed forms of the costs of parts, held to the counter on the meta device."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from neptune_nas.architecture.fields import UnknownRecord
from neptune_nas.architecture.records import NORMS, Architecture, Attention, Conv, Head, Stage, Stem
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.counted import Cost, CostModel, count_part
from neptune_nas.metrics.part_costs import part_counts
from neptune_nas.nn.builder import (
    EntryPart,
    NetworkPart,
    OpaqueNetwork,
    Shape,
    SubStagePlace,
    parts,
)
from tests.strategies import architectures

SIDES = st.integers(16, 40)


@given(architectures(), SIDES, SIDES, st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_every_part_costs_what_the_counter_finds(
    architecture: Architecture, height: int, width: int, channels: int
) -> None:
    for part in parts(architecture, (channels, height, width), 5):
        found = part_counts(part)
        assert found is not None
        assert Cost(*found) == count_part(part)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", [(40, 1, 1), (40, 1, 3), (7, 2, 9)])
def test_a_norm_costs_what_the_counter_finds_on_the_smallest_maps(norm: str, shape: Shape) -> None:
    part = NetworkPart("x", SubStagePlace(Conv(1), norm, 2, 3), shape)  # type: ignore[arg-type]  # one of them
    found = part_counts(part)
    assert found is not None
    assert Cost(*found) == count_part(part)


@dataclass(frozen=True, slots=True)
class Own:
    """A user's SubStage, and a user's network."""

    def build(self, *_: object) -> nn.Module:
        return nn.Identity()


@pytest.mark.parametrize(
    "part",
    [
        NetworkPart("x", SubStagePlace(Own(), "batch", 1, 1), (8, 4, 4)),
        NetworkPart("x", SubStagePlace(UnknownRecord("a:B", ()), "batch", 1, 1), (8, 4, 4)),
        NetworkPart("x", EntryPart(8, Own(), 1, "none", "batch"), (8, 4, 4)),
        NetworkPart("x", OpaqueNetwork(Own()), (8, 4, 4), 10),
    ],
    ids=["substage", "unknown", "entry", "network"],
)
def test_what_a_user_builds_has_no_closed_form(part: NetworkPart) -> None:
    assert part_counts(part) is None


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (NetworkPart("x", SubStagePlace(Conv(3, 3), "batch", 1, 1), (8, 4, 4)), "divide"),
        (NetworkPart("x", SubStagePlace(Attention(3), "batch", 1, 1), (8, 4, 4)), "divide"),
        (NetworkPart("x", EntryPart(9, Conv(3, 2), 1, "none", "batch"), (8, 4, 4)), "divide"),
        (NetworkPart("x", Stem(2**31 - 1, 2**31 - 1), (2**31 - 1, 4, 4)), "cannot run on the meta"),
        (NetworkPart("x", Head(2**31 - 1), (2**31 - 1, 4, 4), 2**31 - 1), ""),
    ],
    ids=["groups", "heads", "entry", "stem", "head"],
)
def test_a_part_that_cannot_be_built_is_left_to_the_counter(
    part: NetworkPart, message: str
) -> None:
    assert part_counts(part) is None
    if message:
        with pytest.raises(ArchitectureError, match=message):
            count_part(part)


def test_a_users_part_is_counted_beside_those_in_closed_form() -> None:
    whole = Architecture(stages=(Stage(width=8, norm="none", substages=(Own(), Conv(3))),))
    rows = dict(CostModel((1, 8, 8), 4).breakdown(whole))
    assert rows["stages.0.substages.0"] == Cost(0, 0, 0)
    assert rows["stages.0.substages.1"].params == 9 * 8 * 8 + 8

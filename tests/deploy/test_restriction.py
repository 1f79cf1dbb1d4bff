from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    InvertedResidual,
    Stage,
    Stem,
)
from neptune_nas.deploy.restriction import restrict
from neptune_nas.deploy.targets import TARGETS
from neptune_nas.errors import SpaceError
from neptune_nas.graphs.lowering import lower
from neptune_nas.nn.builder import build
from neptune_nas.space import Space, choice, find_space, repeat, where

BOARD = TARGETS["stm32f746"]


def space_of(*stages: Any) -> Space[Architecture]:
    return Space("ours", Architecture(stem=Stem(8), stages=stages))


MIXED = Stage(
    width=choice(16, 24),
    norm=choice("batch", "lrn", "mln"),
    substages=repeat(
        choice(Conv(kernel=choice(3, 5)), Attention(heads=choice(2, 4)), FeedForward()), 0, 2
    ),
)


def test_what_has_no_kernel_is_left_out_and_said() -> None:
    space, why = restrict(space_of(MIXED), BOARD)
    assert why == (
        "Left out, since tflite-micro has no int8 kernel for them: Attention, FeedForward, norm "
        "lrn, mln."
    )
    assert space == space_of(
        Stage(
            width=choice(16, 24),
            norm="batch",
            substages=repeat(Conv(kernel=choice(3, 5)), 0, 2),
        )
    )
    assert space.size == 2 * (1 + 2 + 4)


def test_each_network_of_the_rest_can_be_lowered_and_is_in_the_whole() -> None:
    whole = find_space("tiny")
    space, _ = restrict(whole, BOARD)
    for seed in range(5):
        architecture = space.sample(Random(seed))
        assert architecture in whole
        with torch.device("meta"):
            network = build(architecture, (3, 16, 16), 10)
        assert lower(network, torch.empty(1, 3, 16, 16, device="meta")).operations


def test_options_that_were_not_tried_are_kept() -> None:
    kernels = choice(*range(1, 199, 2))
    stage = Stage(width=16, norm="batch", entry=Conv(kernel=kernels, groups=choice(1, 4)))
    space, _ = restrict(space_of(stage), BOARD)
    assert space == space_of(replace(stage, entry=Conv(kernel=kernels, groups=1)))


def test_a_space_of_int8_kernels_stays_as_it_is() -> None:
    space = space_of(Stage(norm="batch", substages=(choice(Conv(), InvertedResidual()),)))
    assert restrict(space, BOARD) == (space, "")


@pytest.mark.parametrize("name", ["host"])
def test_a_runtime_that_runs_all_of_torch_leaves_nothing_out(name: str) -> None:
    space = space_of(MIXED)
    assert restrict(space, TARGETS[name]) == (space, "")


def test_an_option_inside_a_record_is_named_with_it() -> None:
    stage = Stage(
        width=16, norm="batch", entry=choice(Conv(groups=choice(1, 4)), Conv(5)), substages=()
    )
    space, why = restrict(space_of(stage), BOARD)
    assert why.endswith("for them: Conv(kernel=3, groups=4).")
    assert [each.stages[0].entry for each in space] == [Conv(3), Conv(5)]


@pytest.mark.parametrize(
    ("stage", "lack"),
    [
        (Stage(norm="lrn"), "norm lrn"),
        (Stage(norm=choice("lrn", "mln")), "norm lrn or mln"),
        (
            Stage(norm="batch", substages=repeat(choice(Attention(), FeedForward()), 1, 2)),
            "Attention or FeedForward",
        ),
    ],
)
def test_a_space_without_anything_to_run_is_refused(stage: Stage, lack: str) -> None:
    with pytest.raises(
        SpaceError,
        match=rf"space 'ours' has nothing that runs in int8 on stm32f746: every Stage has {lack},"
        r" which tflite-micro has no kernel for; take `space` \(--space\) micro\.",
    ):
        restrict(space_of(stage), BOARD)


def test_a_stage_without_anything_to_run_is_left_out_where_there_are_others() -> None:
    space, _ = restrict(space_of(choice(Stage(norm="lrn"), Stage(norm="batch"))), BOARD)
    assert [each.stages[0].norm for each in space] == ["batch"]
    space, _ = restrict(space_of(Stage(norm="batch"), *repeat(Stage(norm="lrn"), 0, 2)), BOARD)
    assert [len(each.stages) for each in space] == [1]


def test_a_rule_that_leaves_nothing_of_the_rest_is_refused_with_what_was_left_out() -> None:
    def is_lrn(stage: Stage) -> bool:
        return stage.norm == "lrn"

    stage = where(Stage(norm=choice("batch", "lrn")), is_lrn)
    with pytest.raises(SpaceError, match=r"on stm32f746 without norm lrn: space 'ours'.* rule"):
        restrict(space_of(stage), BOARD)


@dataclass(frozen=True)
class Gelu:
    def build(self, width: int) -> nn.Module:
        return nn.Sequential(nn.GELU(), nn.Conv2d(width, width, 1))


@dataclass(frozen=True)
class Broken:
    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width // 0, 1)


def test_ones_own_substage_is_tried_too_and_one_that_fails_is_left_to_its_costs() -> None:
    stage = Stage(norm="batch", substages=(choice(Conv(), Gelu(), Broken()),))
    space, why = restrict(space_of(stage), BOARD)
    assert why.endswith("for them: Gelu.")
    assert [each.stages[0].substages[0] for each in space] == [Conv(), Broken()]


@dataclass(frozen=True)
class Whole:
    width: int

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        return nn.Conv2d(input_shape[0], outputs, 1)


def test_networks_that_are_built_whole_are_left_to_their_costs() -> None:
    space: Space[Any] = Space("whole", Whole(choice(1, 2)))
    assert restrict(space, BOARD) == (space, "")

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from random import Random
from typing import Literal

import pytest
import torch

from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.devices.mode import Mode, same_for_all
from neptune_nas.engine.gpus import CONTEXT, SAFE, Need
from neptune_nas.errors import ArchitectureError
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.metrics.counted import CostModel
from neptune_nas.search.sharing import DRAWN, SAMPLED, by_memory, need_of, sampled, share
from neptune_nas.search.task import Task
from neptune_nas.training.footprint import footprint_of, training_bytes
from neptune_nas.training.recipe import Recipe
from tests.study.builders import GUESS

GIGA = 10**9
NEED = Need(data=33 * 10**6, training=300 * 10**6)  # a gigabyte with the context
SMALL, LARGE = (
    Architecture(stages=(Stage(width, norm="batch", substages=(Conv(),)),)) for width in (8, 64)
)
TASK = Task(
    ShortTraining(), CostModel((1, 8, 8), 10), (1, 8, 8), 10, GUESS, "fingerprint", (1000, 300, 300)
)


class Numbers:
    """A space of whole numbers, drawn in order."""

    name = "numbers"

    def __init__(self) -> None:
        self.rest: Iterator[int] = count()

    def sample(self, rng: Random, by: Literal["architecture", "choice"] = "architecture") -> int:  # noqa: ARG002  # the protocol's
        return next(self.rest)


def test_each_gpu_takes_what_its_free_memory_holds() -> None:
    free = {0: 8 * GIGA, 3: 2.6 * GIGA, 4: 0.1 * GIGA}
    shared = by_memory(NEED, (0, 3, 4), lambda gpu: int(free[gpu]), cores=64)
    assert shared.counts == {0: 6, 3: 2, 4: 1}
    assert sorted(shared.gpus) == [0] * 6 + [3] * 2 + [4]


def test_data_that_are_streamed_to_a_gpu_take_nothing_there() -> None:
    free = {0: 8 * GIGA, 1: 12 * GIGA}
    need = Need(data=int(2.5 * GIGA), training=GIGA // 3)
    shared = by_memory(need, (0, 1), free.__getitem__, cores=64)
    assert shared.counts == {0: 6, 1: 2}
    assert shared.why.startswith(
        "6 on GPU 0 (8.0 GB free, the data streamed), 2 on GPU 1 (12.0 GB free) at once, since "
        "each needs up to 3.5 GB"
    )


def test_gpus_take_no_more_than_there_are_cores_for() -> None:
    assert by_memory(NEED, (0, 1), lambda _: 80 * GIGA, cores=7).counts == {0: 3, 1: 3}
    assert by_memory(NEED, (0, 1), lambda _: 80 * GIGA, cores=1).counts == {0: 1, 1: 1}


def test_the_sentence_says_how_many_and_why() -> None:
    why = by_memory(NEED, (0,), lambda _: 8 * GIGA, cores=16).why
    assert why == (
        f"6 on GPU 0 (8.0 GB free) at once, since each needs up to 1.0 GB ({CONTEXT // 10**6} MB "
        f"for CUDA, 33 MB for the data and 300 MB to train the largest of the networks sampled), "
        f"{SAFE:.0%} of what is free is counted on, and there are cores for 16 a GPU."
    )


def test_the_sentence_warns_where_not_even_one_fits() -> None:
    assert "not even one fits" in by_memory(NEED, (0,), lambda _: GIGA // 2, cores=4).why


def test_what_is_asked_for_is_taken_without_a_look_at_the_gpu() -> None:
    shared = share((0, 2), 3, need=None)
    assert shared.gpus == (0, 2) * 3
    assert shared.why == "3 at once on each GPU, as `trials_per_gpu` says."


def test_an_evaluator_of_unknown_needs_has_a_gpu_to_itself() -> None:
    assert share((0, 1), None, need=None).counts == {0: 1, 1: 1}


def test_networks_that_cannot_be_predicted_have_a_gpu_to_themselves() -> None:
    def need() -> Need:
        raise ArchitectureError("it is too strange.")

    shared = share((1,), None, need)
    assert shared.counts == {1: 1}
    assert shared.why.endswith("predicted: it is too strange.")


def test_the_free_memory_is_asked_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (gpu * GIGA, 80 * GIGA))
    assert share((1,), None, lambda: replace(NEED, training=GIGA)).counts == {1: 1}
    assert "1 on GPU 1 (1.0 GB free)" in share((1,), None, lambda: NEED).why


def test_a_worker_needs_the_images_it_trains_and_validates_on_and_the_largest_network() -> None:
    need = need_of([SMALL, LARGE, SMALL], TASK, Recipe())
    assert need.data == 1300 * (64 + 8)
    assert need.training == training_bytes(footprint_of(LARGE, (1, 8, 8), 10), Recipe())


def test_what_a_worker_needs_depends_on_the_modes() -> None:
    single, half = (
        need_of([LARGE], TASK, Recipe(), same_for_all(Mode(p))).training for p in ("fp32", "bf16")
    )
    assert half - single == 2 * footprint_of(LARGE, (1, 8, 8), 10).params


def test_networks_without_a_footprint_are_left_out_unless_there_is_no_other() -> None:
    deep = Architecture(stages=(Stage(8),) * 4)
    assert need_of([deep, SMALL], TASK, Recipe()) == need_of([SMALL], TASK, Recipe())
    with pytest.raises(ArchitectureError, match="needs images of at least"):
        need_of([deep], TASK, Recipe())


def test_a_sample_is_of_feasible_architectures() -> None:
    assert sampled(Numbers(), lambda n: n % 2 == 0, seed=0) == list(range(0, 2 * SAMPLED, 2))


def test_a_sample_ends_where_few_are_feasible() -> None:
    assert sampled(Numbers(), lambda n: n == DRAWN - 1, seed=0) == [DRAWN - 1]
    assert sampled(Numbers(), lambda n: n >= DRAWN, seed=0) == []

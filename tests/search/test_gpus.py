"""How a search deals out GPUs; none is needed, since their number is injected."""

from typing import Any

import pytest

from neptune_nas.devices.numerics import Numerics
from neptune_nas.engine.plan import Slots
from neptune_nas.errors import OptionError
from neptune_nas.search.config import Search
from tests.study.fakes import Arithmetic, CudaAssembly


def tiny(**asked: Any) -> Search:
    return Search(space="tiny", data="digits", **asked)


def slots(**asked: Any) -> Slots:
    """How the search shares out a machine with two GPUs."""
    return CudaAssembly(tiny(**asked)).slots


def test_each_gpu_has_a_worker() -> None:
    found = slots(gpus=(0, 1))
    assert found.jobs == 2
    assert found.gpus == (0, 1)


def test_training_on_cuda_with_no_gpu_named_is_on_the_first() -> None:
    assert slots(device="cuda").gpus == (0,)
    assert slots(device="auto").gpus == (0,)
    assert slots(device="cpu").gpus == ()


def test_the_number_that_is_asked_for_is_taken() -> None:
    found = slots(gpus=(0, 1), trials_per_gpu=3)
    assert found.jobs == 6
    assert found.gpus == (0, 1, 0, 1, 0, 1)
    assert slots(device="cuda", trials_per_gpu=2).gpus == (0, 0)
    assert slots(gpus=(0, 1), jobs=3).gpus == (0, 1)


def test_an_evaluator_of_the_users_own_takes_the_gpus_that_are_named() -> None:
    assert slots(gpus=(0, 1), evaluator=Arithmetic()).gpus == (0, 1)
    assert slots(device="cuda", evaluator=Arithmetic()).gpus == ()


def test_how_many_share_a_gpu_changes_nothing_of_what_a_study_keeps() -> None:
    numerics = Numerics("fp32")  # which the GPUs, being none, cannot be asked for
    two, shared = (
        tiny(gpus=(0, 1), numerics=numerics),
        tiny(gpus=(0,), trials_per_gpu=4, numerics=numerics),
    )
    assert two.question == shared.question
    parts = CudaAssembly(two)
    assert parts.settings(parts.facts()).question == shared.question


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(OptionError, match="GPU 99 is not there"):
        tiny(gpus=(99,), trials_per_gpu=2).assembly.slots  # noqa: B018  # a property that looks


def test_several_trials_a_gpu_need_one() -> None:
    with pytest.raises(OptionError, match="`trials_per_gpu` needs `gpus`, such as 0,1, or CUDA"):
        tiny(device="cpu", trials_per_gpu=2).assembly.slots  # noqa: B018  # a property that looks


def test_several_trials_a_gpu_and_jobs_exclude_each_other() -> None:
    with pytest.raises(OptionError, match="`jobs` and `trials_per_gpu` exclude each other"):
        tiny(gpus=(0,), jobs=2, trials_per_gpu=2)

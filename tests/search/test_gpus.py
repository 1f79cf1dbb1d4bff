"""How a search deals out GPUs; none is needed, since their number is injected."""

from typing import Any

import pytest

from neptune_nas.errors import OptionError
from neptune_nas.search import config as module
from neptune_nas.search.config import Search
from tests.study.fakes import Arithmetic


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two GPUs."""
    monkeypatch.setattr(module, "check_gpus", lambda _: None)
    monkeypatch.setattr(module, "pick_device", lambda name: "cpu" if name == "cpu" else "cuda")


def tiny(**asked: Any) -> Search:
    return Search(space="tiny", data="digits", **asked)


@pytest.mark.usefixtures("two_gpus")
def test_each_gpu_has_a_worker() -> None:
    slots = tiny(gpus=(0, 1)).slots
    assert slots.jobs == 2
    assert slots.gpus == (0, 1)


@pytest.mark.usefixtures("two_gpus")
def test_training_on_cuda_with_no_gpu_named_is_on_the_first() -> None:
    assert tiny(device="cuda").slots.gpus == (0,)
    assert tiny(device="auto").slots.gpus == (0,)
    assert tiny(device="cpu").slots.gpus == ()


@pytest.mark.usefixtures("two_gpus")
def test_the_number_that_is_asked_for_is_taken() -> None:
    slots = tiny(gpus=(0, 1), trials_per_gpu=3).slots
    assert slots.jobs == 6
    assert slots.gpus == (0, 1, 0, 1, 0, 1)
    assert tiny(device="cuda", trials_per_gpu=2).slots.gpus == (0, 0)
    assert tiny(gpus=(0, 1), jobs=3).slots.gpus == (0, 1)


@pytest.mark.usefixtures("two_gpus")
def test_an_evaluator_of_the_users_own_takes_the_gpus_that_are_named() -> None:
    assert tiny(gpus=(0, 1), evaluator=Arithmetic()).slots.gpus == (0, 1)
    assert tiny(device="cuda", evaluator=Arithmetic()).slots.gpus == ()


@pytest.mark.usefixtures("two_gpus")
def test_how_many_share_a_gpu_changes_nothing_of_what_a_study_keeps() -> None:
    asked = (tiny(gpus=(0, 1)), tiny(gpus=(0,), trials_per_gpu=4))
    assert asked[0].question == asked[1].question
    assert asked[0].opening.settle(asked[0].subject.facts()).question == asked[1].question


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(OptionError, match="GPU 99 is not there"):
        tiny(gpus=(99,), trials_per_gpu=2).slots  # noqa: B018  # a property that looks


def test_several_trials_a_gpu_need_one() -> None:
    with pytest.raises(OptionError, match="`trials_per_gpu` needs `gpus`, such as 0,1, or CUDA"):
        tiny(device="cpu", trials_per_gpu=2).slots  # noqa: B018  # a property that looks


def test_several_trials_a_gpu_and_jobs_exclude_each_other() -> None:
    with pytest.raises(OptionError, match="`jobs` and `trials_per_gpu` exclude each other"):
        tiny(gpus=(0,), jobs=2, trials_per_gpu=2)

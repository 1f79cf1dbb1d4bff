"""How a search shares GPUs; none is needed, since their number and memory are injected."""

from typing import Any

import pytest
import torch

from neptune_nas.errors import OptionError
from neptune_nas.search import config as module
from neptune_nas.search.config import Search
from tests.study.fakes import Arithmetic

GIGA = 10**9
FREE = {0: 2 * GIGA, 1: 3.2 * GIGA}


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs with 2.0 and 3.2 GB free on a machine of eight cores."""
    monkeypatch.setattr(module, "check_gpus", lambda _: None)
    monkeypatch.setattr(module, "pick_device", lambda name: "cpu" if name == "cpu" else "cuda")
    monkeypatch.setattr("neptune_nas.search.sharing.usable_cores", lambda: 8)
    monkeypatch.setattr("neptune_nas.search.sharing.SAMPLED", 4)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (int(FREE[gpu]), 80 * GIGA))


def tiny(**asked: Any) -> Search:
    return Search(space="tiny", data="digits", **asked)


@pytest.mark.usefixtures("two_gpus")
def test_each_gpu_has_the_workers_that_its_memory_holds() -> None:
    slots = tiny(gpus=(0, 1)).slots
    assert slots.jobs == 5
    assert slots.gpus == (0, 1, 0, 1, 1)


@pytest.mark.usefixtures("two_gpus")
def test_training_on_cuda_with_no_gpu_named_shares_the_first() -> None:
    assert tiny(device="cuda").slots.gpus == (0, 0)
    assert tiny(device="auto").slots.gpus == (0, 0)
    assert tiny(device="cpu").slots.gpus == ()


@pytest.mark.usefixtures("two_gpus")
def test_the_number_that_is_asked_for_is_taken() -> None:
    assert tiny(gpus=(0, 1), trials_per_gpu=3).slots.jobs == 6
    assert tiny(gpus=(0, 1), jobs=3).slots.gpus == (0, 1)


@pytest.mark.usefixtures("two_gpus")
def test_an_evaluator_of_the_users_own_has_each_gpu_to_itself() -> None:
    assert tiny(gpus=(0, 1), evaluator=Arithmetic()).slots.gpus == (0, 1)
    assert tiny(device="cuda", evaluator=Arithmetic()).slots.gpus == ()


@pytest.mark.usefixtures("two_gpus")
def test_only_networks_that_keep_the_constraints_count() -> None:
    sharings = tiny(gpus=(0,)).sharing, tiny(gpus=(0,), constraints=("params<=3k",)).sharing
    every, small = (str(sharing and sharing.why) for sharing in sharings)
    assert "7 MB to train" in every
    assert "4 MB to train" in small


@pytest.mark.usefixtures("two_gpus")
def test_sharing_changes_nothing_of_what_a_study_keeps() -> None:
    asked = (tiny(gpus=(0, 1)), tiny(gpus=(0,), trials_per_gpu=4))
    assert asked[0].question == asked[1].question
    assert asked[0].opening.settle(asked[0].subject.facts()).question == asked[1].question


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(OptionError, match="GPU 99 is not there"):
        tiny(gpus=(99,), trials_per_gpu=2).sharing  # noqa: B018  # a property that looks


def test_on_the_cpu_nothing_is_shared() -> None:
    assert tiny(device="cpu").sharing is None

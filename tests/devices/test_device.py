from typing import Any

import pytest
import torch

from neptune_nas.devices.device import (
    autocast_for,
    check_device,
    check_gpus,
    has_fast_bf16,
    pick_device,
    send,
)
from neptune_nas.errors import OptionError


def test_what_is_on_the_device_already_stays_where_it_is() -> None:
    tensor = torch.arange(3)
    assert send(tensor, torch.device("cpu")) is tensor


def test_a_tensor_is_sent_to_another_device() -> None:
    assert send(torch.arange(3), torch.device("meta")).device.type == "meta"


@pytest.mark.parametrize("name", ["gpu", "cuda:0", "tpu"])
def test_an_unknown_device_is_refused_with_what_a_gpu_is_called(name: str) -> None:
    says = rf"'{name}' is unknown: choose auto, cpu or cuda \(a GPU\)\."
    with pytest.raises(OptionError, match=says):
        check_device(name)


@pytest.mark.parametrize(
    ("count", "gpu", "says"),
    [
        (0, 0, r"GPU 0 does not exist: torch finds no GPU .* leave out `gpus` \(--gpus\)"),
        (1, 1, r"GPU 1 does not exist: `gpus` \(--gpus\) names GPUs .* finds GPU 0 on"),
        (4, 4, r"GPU 4 does not exist: .* finds GPUs 0 to 3 on this machine"),
        (2, -1, r"GPU -1 does not exist: .* finds GPUs 0 to 1 on this machine"),
    ],
)
def test_a_gpu_that_is_not_there_is_told_from_those_that_are(
    count: int, gpu: int, says: str
) -> None:
    with pytest.raises(OptionError, match=says):
        check_gpus([gpu], count)


def test_there_are_as_many_gpus_as_torch_finds() -> None:
    count = torch.cuda.device_count()
    check_gpus(range(count))
    with pytest.raises(OptionError, match=f"GPU {count} does not exist"):
        check_gpus([count])


def test_gpus_that_are_there_are_taken_but_none_twice() -> None:
    check_gpus([1, 0], 2)
    with pytest.raises(OptionError, match=r"GPU 0 is given twice: .* how many evaluations share"):
        check_gpus([0, 0], 2)


def test_cuda_needs_a_gpu() -> None:
    assert pick_device("auto", has_gpu=False) == "cpu"
    with pytest.raises(OptionError, match=r"device 'cuda' needs a GPU .*: use cpu or auto\."):
        pick_device("cuda", has_gpu=False)


def test_there_is_a_gpu_if_torch_finds_one() -> None:
    assert pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "fast"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": False}, False),
        ({}, False),
    ],
)
def test_a_cpu_is_fast_in_bf16_if_it_has_the_instructions(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, Any], fast: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert has_fast_bf16(CPU) is fast


def test_a_torch_that_cannot_tell_trains_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not has_fast_bf16(CPU)


def test_a_recipe_that_names_its_precision_gets_it() -> None:
    with autocast_for("bf16", CPU):
        assert torch.is_autocast_enabled("cpu")
    with autocast_for("fp32", CPU):
        assert not torch.is_autocast_enabled("cpu")

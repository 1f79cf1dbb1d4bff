from typing import Any

import pytest
import torch

from neptune_nas.devices.precision import autocast_for, has_fast_bf16

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

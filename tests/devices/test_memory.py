import subprocess
import sys

import pytest
import torch

from neptune_nas.devices.memory import (
    is_device_lost,
    is_out_of_memory,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        torch.AcceleratorError("CUDA error: out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_every_way_to_run_out_of_memory_is_known(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_device_lost(error)


def test_another_error_is_not_out_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_an_illegal_access_loses_the_device_and_a_wrong_shape_does_not() -> None:
    assert is_device_lost(torch.AcceleratorError("CUDA error: an illegal memory access"))
    assert not is_device_lost(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_the_peak_holds_a_tensor_that_is_gone_again() -> None:
    """In a process of its own: in one that freed as much before, the tensor takes no new pages."""
    code = (
        "import torch; from neptune_nas.devices.memory import peak_memory, reset_peak_memory; "
        "cpu = torch.device('cpu'); reset_peak_memory(cpu); before = peak_memory(cpu); "
        "torch.ones(2**25); print(peak_memory(cpu) - before)"
    )
    grown = int(subprocess.check_output([sys.executable, "-c", code]))
    assert grown > 2**26 if sys.platform == "linux" else grown == 0

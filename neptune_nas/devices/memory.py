"""Peak memory of a training run, and running out of it."""

import os
import sys
from pathlib import Path

import torch

from neptune_nas.devices.cgroup import memory_limit

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # see proc(5)


def free_memory(gpu: int | torch.device) -> int:
    """The bytes that are free on a GPU; makes a CUDA context there, which is not among them."""
    free, _ = torch.cuda.mem_get_info(gpu)
    return free


def host_memory() -> int:
    """The bytes of the machine's memory, free or not, or of what its container may use of it.

    Without end where the machine does not say.
    """
    if not hasattr(os, "sysconf"):  # Windows
        return sys.maxsize
    return min(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), memory_limit())


def reset_peak_memory(device: torch.device) -> None:
    """Begin to look for the highest use from now on, where the system can.

    On CUDA what an earlier run has left in torch's cache goes back, since others may share the GPU.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR.exists():
        try:
            CLEAR.write_text(RESET_PEAK)
        except OSError:  # some containers forbid it: the peak is then that of the whole process
            return


def peak_memory(device: torch.device) -> int:
    """Bytes at the highest since the last reset: tensors on CUDA, else the process's resident set.

    0 where it cannot be told (a CPU without Linux's `/proc`).
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if not STATUS.exists():
        return 0
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(fields.get("VmHWM", "0 kB").split()[0]) * 1024


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is torch's or Python's way of saying that no memory was left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and any(sign in str(error) for sign in ("can't allocate memory", "error: out of memory"))
    )


def is_device_lost(error: BaseException) -> bool:
    """Whether no call can succeed in this process any more, as after an illegal access on CUDA."""
    lost: type | None = getattr(torch, "AcceleratorError", None)  # missing in older releases
    return lost is not None and isinstance(error, lost) and not is_out_of_memory(error)

"""The processor of this machine: its name, its cores, and the threads that torch computes with."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from neptune_nas.text import counted

_CPUINFO = Path("/proc/cpuinfo")
_MODEL = "model name"


def cpu_name(cpuinfo: Path = _CPUINFO) -> str:
    """Return the processor's model as the system calls it.

    `cpuinfo`: where Linux says it, see proc(5).
    """
    with suppress(OSError):
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith(_MODEL):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def hardware() -> str:
    """Return the machine in a few words: system, architecture, cores."""
    return f"{platform.system()} {platform.machine()}, {counted(usable_cores(), 'core')}"


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads inside; None leaves it as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)

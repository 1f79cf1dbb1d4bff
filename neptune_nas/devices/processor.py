"""The processor of this machine: its name, its cores, and torch's threads."""

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
    """Return the processor's model name.

    `cpuinfo`: Linux's file that has it, see proc(5).
    """
    with suppress(OSError):
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith(_MODEL):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def hardware() -> str:
    """Return the machine in a few words: system, architecture, cores."""
    return f"{platform.system()} {platform.machine()}, {counted(usable_cores(), 'core')}"


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Set the number of torch's threads inside; None leaves it unchanged."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)

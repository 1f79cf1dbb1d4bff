"""Memory: how much there is, what a run took at most, running out of it, and keeping its pages."""

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # see proc(5)
_GROUPS, _MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_V2, _V1 = "memory.max", "memory.limit_in_bytes"
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # from glibc's malloc.h
_LARGEST = 2**31 - 1


def free_memory(gpu: int | torch.device) -> int:
    """Return the bytes that are free on a GPU, without those of the CUDA context made there."""
    free, _ = torch.cuda.mem_get_info(gpu)
    return free


def host_memory(groups: Path = _GROUPS, mount: Path = _MOUNT) -> int:
    """Return the bytes of the machine's memory, free or not, or of what its container may use.

    `sys.maxsize` where the machine does not say. `groups`, `mount`: as of `memory_limit`.
    """
    if not hasattr(os, "sysconf"):  # Windows
        return sys.maxsize
    return min(
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), memory_limit(groups, mount)
    )


def memory_limit(groups: Path = _GROUPS, mount: Path = _MOUNT) -> int:
    """Return the bytes that the control groups of this process leave to it, `sys.maxsize` for any.

    `groups`: says which groups the process is of, see cgroups(7). `mount`: where they are mounted.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:  # another system, or a closed one
        return sys.maxsize
    files = (file for line in lines for file in _limit_files(line, mount))
    return min(map(_limit_in, files), default=sys.maxsize)


def _limit_files(line: str, mount: Path) -> Iterator[Path]:
    """Yield the files with the limits of a line of `groups`, those around it included.

    A container may see its own group as the root, whatever the line says: so the root counts too.
    """
    number, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if number == "0" and not controllers:
        root, name = mount, _V2
    elif "memory" in controllers.split(","):
        root, name = mount / "memory", _V1
    else:
        return
    inside = PurePosixPath(path.lstrip("/"))  # also where it is empty
    for group in (inside, *inside.parents):
        yield root / group / name


def _limit_in(file: Path) -> int:
    """Return the limit in a file; `sys.maxsize` where it has none, as `max` says."""
    try:
        return min(int(file.read_text()), sys.maxsize)
    except (OSError, ValueError):
        return sys.maxsize


def reset_peak_memory(device: torch.device) -> None:
    """Begin to look for the highest use from now on, where the system can.

    On CUDA what an earlier run has left in torch's cache goes back, since others may share the GPU.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    elif _CLEAR.exists():
        try:
            _CLEAR.write_text(_RESET_PEAK)
        except OSError:  # some containers forbid it: the peak is then that of the whole process
            return


def peak_memory(device: torch.device) -> int:
    """Return the most bytes since the last reset: of tensors on CUDA, else of the resident set.

    0 where it cannot be told (a CPU without Linux's `/proc`).
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if not _STATUS.exists():
        return 0
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(fields.get("VmHWM", "0 kB").split()[0]) * 1024


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is torch's or Python's way of saying that no memory was left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and any(sign in str(error) for sign in ("can't allocate memory", "error: out of memory"))
    )


def is_device_lost(error: BaseException) -> bool:
    """Return whether no call can succeed in this process any more, as after an illegal access."""
    lost: type | None = getattr(torch, "AcceleratorError", None)  # missing in older releases
    return lost is not None and isinstance(error, lost) and not is_out_of_memory(error)


def keep_pages(library: object = None) -> bool:
    """Keep freed activations mapped, by glibc's thresholds; return whether that was possible.

    By default each tensor above 128 KiB to 32 MiB is mapped afresh, and its pages zeroed, at every
    step. Affects the whole process, so a worker calls it once, at its start; Linux with glibc only.
    `library`: the C library (default: this process's).
    """
    if library is None:
        if not sys.platform.startswith("linux"):
            return False
        library = ctypes.CDLL(None)
    mallopt = getattr(library, "mallopt", None)
    return mallopt is not None and all(
        mallopt(option, value) == 1
        for option, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _LARGEST))
    )

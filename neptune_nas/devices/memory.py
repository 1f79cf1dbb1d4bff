"""Memory: its size, a run's peak, errors of running out, and the allocator's settings."""

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
    """Return the free bytes on a GPU, after the CUDA context that this call creates there."""
    free, _ = torch.cuda.mem_get_info(gpu)
    return free


def host_memory(groups: Path = _GROUPS, mount: Path = _MOUNT) -> int:
    """Return the bytes of memory, free or not, of the machine or within its container's limit.

    `sys.maxsize` if the machine does not tell. `groups`, `mount`: see `memory_limit`.
    """
    if not hasattr(os, "sysconf"):  # Windows
        return sys.maxsize
    return min(
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), memory_limit(groups, mount)
    )


def memory_limit(groups: Path = _GROUPS, mount: Path = _MOUNT) -> int:
    """Return the memory limit of this process's control groups in bytes, else `sys.maxsize`.

    `groups`: the file that lists the process's groups, see cgroups(7). `mount`: their mount point.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:  # not Linux, or no permission
        return sys.maxsize
    files = (file for line in lines for file in _limit_files(line, mount))
    return min(map(_limit_in, files), default=sys.maxsize)


def _limit_files(line: str, mount: Path) -> Iterator[Path]:
    """Yield the files of the limits for a line of `groups`, including enclosing groups.

    The root is included, because a container may see its own group there.
    """
    number, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if number == "0" and not controllers:
        root, name = mount, _V2
    elif "memory" in controllers.split(","):
        root, name = mount / "memory", _V1
    else:
        return
    inside = PurePosixPath(path.lstrip("/"))  # may be empty
    for group in (inside, *inside.parents):
        yield root / group / name


def _limit_in(file: Path) -> int:
    """Return the limit in a file; `sys.maxsize` if there is none, or it is `max`."""
    try:
        return min(int(file.read_text()), sys.maxsize)
    except (OSError, ValueError):
        return sys.maxsize


def reset_peak_memory(device: torch.device) -> None:
    """Start measuring the peak of memory use anew, if the system supports it.

    On CUDA, torch's cache from earlier runs is released, since others may share the GPU.
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
    """Return the peak bytes since the last reset: of tensors on CUDA, else of the resident set.

    It is 0 where it is not known (a CPU without Linux's `/proc`).
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if not _STATUS.exists():
        return 0
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(fields.get("VmHWM", "0 kB").split()[0]) * 1024


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch or Python means that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and any(sign in str(error) for sign in ("can't allocate memory", "error: out of memory"))
    )


def is_device_lost(error: BaseException) -> bool:
    """Return whether no later call can succeed in this process, as after an illegal access."""
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

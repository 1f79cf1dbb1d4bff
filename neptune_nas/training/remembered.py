"""The modes of this machine: found once by a probe, and remembered in the user's cache folder."""

import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from neptune_nas.errors import NeptuneError
from neptune_nas.files import read_file, write_file
from neptune_nas.json_fields import parse
from neptune_nas.training.mode import KINDS, Mode, Modes, same_for_all
from neptune_nas.training.probe import VERSION, probe
from neptune_nas.training.recipe import Precision

CPUINFO = Path("/proc/cpuinfo")
MODEL = "model name"


def modes_for(precision: Precision, device: str, threads: int) -> Modes:
    """The mode for each kind of network: what is fastest where `precision` is "auto".

    `threads`: of torch, which count on a CPU only.
    """
    if precision != "auto":
        return same_for_all(Mode(precision))
    return modes_here(torch.device(device), threads if device == "cpu" else 1, cache_file())


@lru_cache(maxsize=8)
def modes_here(device: torch.device, threads: int, file: Path | None) -> Modes:
    """What `file` remembers of the device, else what the probe finds, which it then remembers."""
    known = remembered(file)
    try:
        key = key_of(device, threads)
        found = known[key] if key in known else probe(device, threads)
    except RuntimeError:  # a GPU that is full, lost, or of another process alone
        return Modes()
    if file is not None and key not in known:
        with suppress(NeptuneError):  # it is only a cache
            remember(file, {**known, key: found})
    return found


def cache_file() -> Path | None:
    """Where modes are remembered; None for a user without a home."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return folder / "neptune-nas" / "modes.json"


def key_of(device: torch.device, threads: int) -> str:
    """What modes depend on, in a line: device, threads, torch, and the probe itself."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{cpu_name()}, {torch.backends.cpu.get_cpu_capability()}, threads {threads}"
    return f"{name}, torch {torch.__version__}, probe {VERSION}"


def cpu_name() -> str:
    """The processor's model as the system calls it."""
    with suppress(OSError):
        for line in CPUINFO.read_text(errors="replace").splitlines():
            if line.startswith(MODEL):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def remembered(file: Path | None) -> dict[str, Modes]:
    """The modes in a file by their keys; none from one that is missing or damaged."""
    try:
        content: Any = parse(read_file(file)) if file else {}
        return {key: modes_in(value) for key, value in content.items()}
    except (NeptuneError, AttributeError, LookupError, TypeError):
        return {}


def modes_in(content: Any) -> Modes:
    """The modes that `remember` wrote; raises `LookupError`, `TypeError` or `OptionError` else."""
    found = (content[kind] for kind in KINDS)
    return Modes(*(Mode(each["precision"], each["layout"]) for each in found))


def remember(file: Path, known: Mapping[str, Modes]) -> None:
    """Write modes by their keys; raises `NeptuneError` where that is not possible."""
    content = {key: asdict(modes) for key, modes in known.items()}
    write_file(file, json.dumps(content, indent=2) + "\n")

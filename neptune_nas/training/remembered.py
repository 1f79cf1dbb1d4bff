"""The modes of this processor: found once by a probe, and remembered in the user's cache folder."""

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from neptune_nas.devices.mode import Mode, Modes, Precision, modes_from, same_for_all
from neptune_nas.errors import NeptuneError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.cache import cache_folder
from neptune_nas.files.schema import parse
from neptune_nas.training.probe import VERSION, probe

CPUINFO = Path("/proc/cpuinfo")
MODEL = "model name"


def modes_for(precision: Precision, device: str) -> Modes:
    """The mode for each kind of network: where `precision` is "auto", what is fastest.

    On an accelerator "auto" is left to the rule of `Mode`, which is to be measured there first.
    """
    is_open = precision == "auto" and device == "cpu"
    return modes_here(cache_file()) if is_open else same_for_all(Mode(precision))


@lru_cache(maxsize=8)
def modes_here(file: Path | None) -> Modes:
    """What `file` remembers of the processor, else what the probe finds, to be remembered then."""
    known, key = remembered(file), this_processor()
    found = known[key] if key in known else probe()
    if file is not None and key not in known:
        with suppress(NeptuneError):  # it is only a cache
            remember(file, {**known, key: found})
    return found


def cache_file() -> Path | None:
    """Where modes are remembered; None for a user without a home."""
    folder = cache_folder()
    return folder / "modes.json" if folder else None


def this_processor() -> str:
    """What modes depend on, in a line: the processor, torch, and the probe itself."""
    name = f"{cpu_name()}, {torch.backends.cpu.get_cpu_capability()}"
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
        return {key: modes_from(value) for key, value in content.items()}
    except (NeptuneError, AttributeError, LookupError, TypeError):
        return {}


def remember(file: Path, known: Mapping[str, Modes]) -> None:
    """Write modes by their keys; raises `NeptuneError` where that is not possible."""
    content = {key: asdict(modes) for key, modes in known.items()}
    write_file(file, json.dumps(content, indent=2) + "\n")

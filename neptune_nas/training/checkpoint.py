"""A run between two epochs as a file: whole or not there, and read without executing anything."""

import io
from pathlib import Path
from typing import Any

import torch

from neptune_nas.devices.memory import is_device_lost, is_out_of_memory
from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import write_file
from neptune_nas.training.setup import Setup
from neptune_nas.training.state import RunState, Weights, take_up, written

VERSION = 2


def save_checkpoint(path: Path, setup: Setup, state: RunState, best: Weights) -> None:
    """Write the run as it stands, with the best weights so far."""
    content = {"version": VERSION, "best": best, **written(setup, state)}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_file(path, buffer.getvalue())


def load_checkpoint(path: Path, setup: Setup, state: RunState) -> Weights:
    """Put a run of the same setup where the file left it; the best weights until then.

    Raises `FileFormatError` for a file that cannot be read, is damaged, foreign, or of another
    version. Running out of memory, or losing the device, says nothing of the file.
    """
    try:
        content = read(path)
        if content.get("version") != VERSION:
            raise ValueError(f"its version is {content.get('version')!r}, not {VERSION}")
        take_up(setup, state, content)
        best: Weights = content["best"]
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # what may be wrong with a foreign file has no end
        if is_out_of_memory(error) or is_device_lost(error):
            raise
        reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise FileFormatError(
            f"{path} cannot be gone on with ({reason}): remove it to begin this seed again."
        ) from error
    return best


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, its tensors on the host."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content

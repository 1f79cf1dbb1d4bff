"""The checkpoint of a run between two epochs: written atomically, read without running code."""

import io
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor, nn

from neptune_nas.devices.memory import is_device_lost, is_out_of_memory
from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import write_file
from neptune_nas.files.regular import open_regular
from neptune_nas.training.state import Epoch, RunState, Setup, Weights

_VERSION = 2
_COPIES, _SPARE = 16, 2**26  # of a network's bytes: weights, averages, moments; the rest


def save_checkpoint(path: Path, setup: Setup, state: RunState, best: Weights) -> None:
    """Write the state of the run, with the best weights so far."""
    content = {"version": _VERSION, "best": best, **_snapshot(setup, state)}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_file(path, buffer.getvalue())


def load_checkpoint(path: Path, setup: Setup, state: RunState) -> Weights:
    """Restore a run of the same setup from a file; return its best weights so far.

    Raises `FileFormatError` for a file that cannot be read, is damaged, foreign, or of another
    version. Running out of memory or losing the device is not blamed on the file.
    """
    try:
        _check_size(path, setup.network)
        content = read(path)
        if content.get("version") != _VERSION:
            raise ValueError(f"its version is {content.get('version')!r}, not {_VERSION}")
        best: Weights = content["best"]
        _load_weights(setup.network, best)
        with catch_warnings():
            simplefilter("ignore")  # torch warns of what it then refuses
            _restore(setup, state, content)
    except FileFormatError:
        raise
    except Exception as error:  # a foreign file may be wrong in any way
        if is_out_of_memory(error) or is_device_lost(error):
            raise
        reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise FileFormatError(
            f"{path} cannot be resumed ({reason}): remove it to begin this seed again."
        ) from error
    return best


def read(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint, with tensors on the host."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def _check_size(path: Path, network: nn.Module) -> None:
    """Refuse a file that would take more memory than any state of a run of `network`."""
    most = _SPARE + _COPIES * sum(each.nbytes for each in network.state_dict().values())
    with open_regular(path) as file:
        packed = os.fstat(file.fileno()).st_size
        try:
            parts = ZipFile(file).infolist()
        except (BadZipFile, NotImplementedError) as error:
            raise ValueError(f"it is not a checkpoint: {error}") from error
        unpacked = sum(each.file_size for each in parts)
    if unpacked > packed or packed > most:
        raise ValueError(f"it claims {max(packed, unpacked):,} bytes, but {most:,} are enough")


def _snapshot(setup: Setup, state: RunState) -> dict[str, Any]:
    """Return the state of a run between two epochs, in tensors and plain values only."""
    return {
        **{name: part.state_dict() for name, part in _stateful_parts(setup, state)},
        "generator": state.generator.get_state(),
        "random": _random_states(setup.device),
        "history": [asdict(epoch) for epoch in state.history],
    }


def _load_weights(network: nn.Module, weights: Weights) -> None:
    """Load weights into a network, and refuse those of another one."""
    if lacking := network.state_dict().keys() - weights.keys():  # batch norms do without a counter
        raise ValueError(f"its weights lack {min(lacking)}")
    network.load_state_dict(weights)


def _restore(setup: Setup, state: RunState, content: dict[str, Any]) -> None:
    """Restore a run of the same setup to the state of a snapshot."""
    for name, part in _stateful_parts(setup, state):
        if isinstance(part, nn.Module):
            _load_weights(part, content[name])
        else:
            part.load_state_dict(content[name])
    state.generator.set_state(content["generator"])
    torch.set_rng_state(content["random"]["cpu"])
    if setup.device.type == "cuda" and "cuda" in content["random"]:
        torch.cuda.set_rng_state(content["random"]["cuda"], setup.device)
    state.history[:] = [Epoch(**epoch) for epoch in content["history"]]


def _stateful_parts(setup: Setup, state: RunState) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a run that have a state dict, by name."""
    parts = {
        "network": setup.network,
        "optimizer": state.optimizer,
        "schedule": state.schedule,
        "plateau": state.plateau,
        "average": state.average,
    }
    return ((name, part) for name, part in parts.items() if part is not None)


def _random_states(device: torch.device) -> dict[str, Tensor]:
    """Return torch's random state on the host, and on `device` if it is another."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states

"""The file of a trained network: its weights as safetensors, and what they are as a JSON header.

Reading it executes nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from neptune_nas.errors import FileFormatError, NeptuneError
from neptune_nas.files import write_file
from neptune_nas.json_fields import LIST, OBJECT, SIZE, TEXT, Rule, check_document, parse

FORMAT = "neptune-nas/model"
VERSION = 1
LENGTH_BYTES = 8  # before the JSON that a safetensors file begins with: its length, little-endian
HEADER = "neptune-nas"  # the one entry of the metadata, so that equal models are equal files

FIELDS: Mapping[str, Rule] = {
    "format": TEXT,
    "version": SIZE,
    "key": TEXT,
    "network": OBJECT,
    "labels": LIST,
    "mean": LIST,
    "std": LIST,
    "metrics": OBJECT,
    "provenance": OBJECT,
}


class Weights(Protocol):
    """The weights of the network that `key` names, by their names in its state dict."""

    @property
    def key(self) -> str:
        """The name of the network: equal for equal networks."""

    @property
    def state(self) -> Mapping[str, Tensor]:
        """The tensors by name."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile:
    """What stands in the file: a header with `FIELDS`, and the weights."""

    header: Mapping[str, Any]
    state: Mapping[str, Tensor]

    @property
    def key(self) -> str:
        """The name of the network: equal for equal networks."""
        return str(self.header["key"])


def write_model_file(path: Path, content: ModelFile) -> None:
    """Put the file at `path` at once; equal contents give equal bytes."""
    header = {"format": FORMAT, "version": VERSION, **content.header}
    try:
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise NeptuneError(
            f"{path} cannot be written: metrics and provenance must be JSON ({error}): "
            f"use finite numbers, strings, booleans, None, lists and mappings."
        ) from error
    # Copies, since safetensors refuses tensors that share memory or lie channels last.
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in content.state.items()
    }
    write_file(path, save(tensors, {HEADER: text}))


def read_model_file(path: Path) -> ModelFile:
    """The file at `path`.

    Raises `FileFormatError` for a file that is missing, no safetensors, without our header, or
    from another version.
    """
    try:
        path.open("rb").close()  # what the system refuses, it says more clearly than safe_open
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Copies, since what safe_open gives lies in the file, which may be cut off or changed.
            state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  # no mapping
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from error
    except SafetensorError as error:
        raise FileFormatError(
            f"{path} must be a whole safetensors file, but is none ({error}): save it again."
        ) from error
    try:
        return ModelFile(header_in(metadata), state)
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from error


def is_model_file(path: Path) -> bool:
    """Whether the file at `path` is to be read as safetensors: by its name, or its first bytes."""
    if path.suffix == ".safetensors":
        return True
    try:
        with path.open("rb") as file:
            start = file.read(LENGTH_BYTES + 1)
    except OSError:
        return False
    return start[LENGTH_BYTES:] == b"{" and start[LENGTH_BYTES - 1] == 0


def header_in(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The header in a file's metadata."""
    if HEADER not in metadata:
        raise FileFormatError(
            f"it holds weights, but its metadata has no '{HEADER}': it was not written by "
            f"neptune-nas."
        )
    return check_document(parse(metadata[HEADER]), FORMAT, VERSION, FIELDS)


def with_weights(network: nn.Module, weights: str | Path | Weights, key: str) -> nn.Module:
    """`network`, which `key` names, in eval mode and with these weights, or those in that file."""
    if isinstance(weights, str | Path):
        return with_weights(network, read_model_file(Path(weights)), key)
    if weights.key != key:
        raise FileFormatError(
            f"weights must be of the network {key}, but are of {weights.key}: "
            f"take the file that was saved with this architecture."
        )
    check_weights(network, weights.state)
    with torch.no_grad():  # not load_state_dict, which some of torchvision's want versions for
        for name, value in network.state_dict().items():
            value.copy_(weights.state[name])
    return network.eval()


def check_weights(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Refuse weights of other names or shapes than those of `network`, naming the first."""
    wanted = network.state_dict()
    for name in sorted({*wanted} ^ {*state}):
        broken = "is missing" if name in wanted else "is none of the network's"
        raise FileFormatError(f"weights do not fit the network: `{name}` {broken}.")
    for name, value in wanted.items():
        if value.shape != state[name].shape:
            raise FileFormatError(
                f"weights do not fit the network: `{name}` must have the shape "
                f"{tuple(value.shape)}, but has {tuple(state[name].shape)}."
            )

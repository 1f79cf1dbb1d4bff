"""The file of a trained network: weights as safetensors, and a JSON header that describes them.

Reading it executes nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from neptune_nas.errors import FileFormatError, NeptuneError
from neptune_nas.files.atomic import write_file
from neptune_nas.files.documents import parse_json, versioned
from neptune_nas.files.rules import Number
from neptune_nas.files.schema import decode, located
from neptune_nas.files.tensors import dump_tensors, read_tensors
from neptune_nas.nn.weights import check_weights

FORMAT = "neptune-nas/model"
VERSION = 1
_INT8 = "int8/"  # before the names of the tensors of the network in int8


@dataclass(frozen=True, slots=True)
class _Header:
    """The fields of a header, except its format and version."""

    key: str
    network: dict[str, Any]
    task: str
    labels: tuple[str, ...]
    mean: tuple[Number, ...]
    std: tuple[Number, ...]
    metrics: dict[str, Any]
    provenance: dict[str, Any]


class Weights(Protocol):
    """The weights of the network that `key` names, by their names in its state dict."""

    @property
    def key(self) -> str:
        """The key of the network: equal for equal networks."""

    @property
    def state(self) -> Mapping[str, Tensor]:
        """The tensors by name."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile:
    """The contents of the file: a header, the weights, and the network in int8 if it has one."""

    header: Mapping[str, Any]
    state: Mapping[str, Tensor]
    int8: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of the network: equal for equal networks."""
        return str(self.header["key"])


def write_model_file(path: Path, content: ModelFile) -> None:
    """Write the file atomically; equal contents give equal bytes."""
    header = {"format": FORMAT, "version": VERSION, **content.header}
    try:
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise NeptuneError(
            f"{path} cannot be written: metrics and provenance must be JSON ({error}): "
            f"use finite numbers, strings, booleans, None, lists and mappings."
        ) from error
    beside = {_INT8 + name: value for name, value in content.int8.items()}
    write_file(path, dump_tensors(text, {**content.state, **beside}))


def read_model_file(path: Path) -> ModelFile:
    """Return the contents of the file at `path`; raises as `map_model_file` does."""
    content = map_model_file(path)
    return replace(content, state=copy_weights(content.state), int8=copy_weights(content.int8))


def map_model_file(path: Path) -> ModelFile:
    """Return the contents of the file at `path`, whose weights stay in it until they are copied.

    They may claim any amount of memory. Raises `FileFormatError` for a file that is missing, not
    safetensors, without our header, or from another version.
    """
    text, tensors = read_tensors(path)
    state = {name: value for name, value in tensors.items() if not name.startswith(_INT8)}
    int8 = {name.removeprefix(_INT8): tensors[name] for name in tensors if name not in state}
    with located(path):
        return ModelFile(header_in(text), state, int8)


def copy_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies of weights, whose file may be cut or changed while they are in use."""
    return {name: value.clone() for name, value in state.items()}


def header_in(text: str) -> dict[str, Any]:
    """Return the header in a file's text."""
    header: dict[str, Any] = parse_json(text)
    decode(_Header, versioned(header, VERSION, FORMAT))
    try:
        json.dumps(header, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(
            "its header must hold finite numbers, but has NaN or infinity: save it again."
        ) from error
    return header


def with_weights(network: nn.Module, weights: str | Path | Weights, key: str) -> nn.Module:
    """Return `network`, which `key` names, in eval mode with the given weights or a file's."""
    if isinstance(weights, str | Path):
        content = map_model_file(Path(weights))
        with located(weights):
            return with_weights(network, content, key)
    _check(network, weights, key)
    with torch.no_grad():  # load_state_dict fails without versions for some of torchvision's
        for name, value in network.state_dict().items():
            value.copy_(weights.state[name])
    return network.eval()


def _check(network: nn.Module, weights: Weights, key: str) -> None:
    """Refuse weights of any network but `network`, which `key` names."""
    if weights.key != key:
        raise FileFormatError(
            f"weights must be of the network {key}, but are of {weights.key}: "
            f"use the file that was saved with this architecture."
        )
    check_weights(network, weights.state)


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Refuse weights with NaN or infinity, naming the first."""
    for name, value in state.items():
        if not value.isfinite().all():
            raise FileFormatError(
                f"weights must be finite, but `{name}` has NaN or infinity: train the network "
                f"again."
            )

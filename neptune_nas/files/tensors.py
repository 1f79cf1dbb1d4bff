"""Files of tensors: ours (safetensors with one text) and others; reading executes nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from neptune_nas.errors import FileFormatError
from neptune_nas.files.regular import TEXT, open_regular
from neptune_nas.files.signatures import ENOUGH, LENGTH, is_safetensors, kind_of

_MOST = TEXT // 2  # bytes of a header
_DESCRIPTORS = Path("/dev/fd")  # missing on Windows, and on Linux without /proc
_STATES = ("state_dict_ema", "model_ema", "state_dict", "model")  # in checkpoints, as timm's
HEADER = "neptune-nas"  # the only entry of the metadata, so that equal contents are equal files


def dump_tensors(text: str, tensors: Mapping[str, Tensor]) -> bytes:
    """Return the bytes of a file; equal contents give equal bytes."""
    # Copies, since safetensors refuses tensors that share memory or lie channels last.
    copies = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }
    return save(copies, {HEADER: text})


def _check_start(path: Path, start: bytes) -> None:
    """Refuse a file with these first bytes that is not safetensors, or has a huge header.

    The safetensors library reads the whole header, and makes an entry for each tensor in it.
    """
    if not is_safetensors(start):
        raise FileFormatError(
            f"{path} must be safetensors that neptune-nas wrote, but is {kind_of(start)}: name "
            f"another file."
        )
    if (length := int.from_bytes(start[:LENGTH], "little")) > _MOST:
        raise FileFormatError(
            f"{path} must have a header of at most {_MOST:,} bytes, but has one of {length:,}: "
            f"name another file."
        )


def read_tensors(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Return the text and the tensors in a file; tensors stay in the file until copied.

    Raises `FileFormatError` for a file that is missing, not safetensors, or without our text.
    """
    with open_regular(path) as file:
        _check_start(path, file.read(ENOUGH))
        metadata, tensors = _safetensors_in(path, file)
    if HEADER not in metadata:
        raise FileFormatError(
            f"{path}: it holds tensors, but its metadata has no '{HEADER}': it was not written by "
            f"neptune-nas."
        )
    return metadata[HEADER], tensors


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the state dict of a network in a safetensors file or a file of `torch.save`.

    Nothing in the file is executed: torch unpickles only tensors and containers. A checkpoint may
    hold the state dict under a name such as "state_dict". Raises `FileFormatError` for any other
    file.
    """
    with open_regular(path) as file:
        start = file.read(ENOUGH)
        file.seek(0)
        if is_safetensors(start):
            _check_start(path, start)
            return _safetensors_in(path, file)[1]
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a pickle that is malformed, or asks for more than tensors
            raise FileFormatError(
                f"{path} must be safetensors, or a state dict that `torch.save` wrote, but is "
                f"{kind_of(start)} and holds something else, or is cut off: save "
                f"`network.state_dict()` again."
            ) from error
    for name in _STATES:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise FileFormatError(
            f"{path} must hold tensors by name, but holds other values: save "
            f"`network.state_dict()` alone."
        )
    return content


def _safetensors_in(path: Path, file: BinaryIO) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the metadata and the tensors in a file that is open at `path`."""
    # By its descriptor, since another file may have taken its place by now.
    opened = _DESCRIPTORS / str(file.fileno())
    try:
        with safe_open(opened if opened.exists() else path, framework="pt") as content:
            metadata = content.metadata() or {}
            return metadata, {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118  # no mapping
    except SafetensorError as error:
        raise FileFormatError(
            f"{path} is not a complete safetensors file ({error}): save it again."
        ) from error

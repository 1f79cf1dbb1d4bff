"""Safetensors files with one text in their metadata; reading them executes nothing."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from neptune_nas.errors import FileFormatError
from neptune_nas.files.regular import TEXT, open_regular
from neptune_nas.files.signatures import ENOUGH, LENGTH, is_safetensors, kind_of

_MOST = TEXT // 2  # bytes of a header
_DESCRIPTORS = Path("/dev/fd")  # missing on Windows, and on Linux without /proc
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
    try:
        with open_regular(path) as file:
            _check_start(path, file.read(ENOUGH))
            # By its descriptor, since another file may have taken its place by now.
            opened = _DESCRIPTORS / str(file.fileno())
            with safe_open(opened if opened.exists() else path, framework="pt") as content:
                metadata = content.metadata() or {}
                names = content.keys()
                tensors = {name: content.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise FileFormatError(
            f"{path} is not a complete safetensors file ({error}): save it again."
        ) from error
    if HEADER not in metadata:
        raise FileFormatError(
            f"{path}: it holds tensors, but its metadata has no '{HEADER}': it was not written by "
            f"neptune-nas."
        )
    return metadata[HEADER], tensors

"""Safetensors files with one text in their metadata; reading them executes nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from neptune_nas.errors import FileFormatError
from neptune_nas.files.regular import TEXT, open_regular
from neptune_nas.files.signatures import ENOUGH, is_safetensors, kind_of
from neptune_nas.text import visible

_MOST = TEXT // 2  # bytes of a header
HEADER = "neptune-nas"  # the only entry of the metadata, so that equal contents are equal files


def dump_tensors(text: str, tensors: Mapping[str, Tensor]) -> bytes:
    """Return the bytes of a file; equal contents give equal bytes."""
    # Copies, since safetensors refuses tensors that share memory or lie channels last.
    own = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }
    return save(own, {HEADER: text})


def _refuse_other_kinds(path: Path) -> None:
    """Refuse a file that does not begin like safetensors, naming its kind, or has a huge header.

    The library reads a header whole, and an entry for each tensor in it.
    """
    with open_regular(path) as file:
        start = file.read(ENOUGH)
    if not is_safetensors(start):
        raise FileFormatError(
            f"{path} must be safetensors that neptune-nas wrote, but is {kind_of(start)}: name "
            f"another file."
        )


def _utf8(path: Path, opened: BinaryIO) -> str:
    """Return a path to an open file, by its descriptor if its name may not be UTF-8."""
    return str(path) if visible(str(path)) == str(path) else f"/dev/fd/{opened.fileno()}"


def read_tensors(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Return the text and the tensors in a file; tensors stay in the file until copied.

    Raises `FileFormatError` for a file that is missing, not safetensors, or without our text.
    """
    try:
        _refuse_other_kinds(path)
        with path.open("rb") as opened, safe_open(_utf8(path, opened), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
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

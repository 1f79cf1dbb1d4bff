"""The kinds of files by their first bytes."""

from collections.abc import Mapping
from pathlib import Path

from neptune_nas.files.regular import first_bytes

_BEGINNINGS: Mapping[bytes, str] = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive, as `torch.save` writes",
    b"\x1f\x8b": "a gzip file",
    b"\x80\x02": "a pickle, as old releases of torch write",
    b"SQLite format 3": "an SQLite database",
}
LENGTH = 8  # bytes before the JSON of safetensors, with its length, little-endian
ENOUGH = 512  # bytes that identify a file


def is_safetensors(start: bytes) -> bool:
    """Return whether a file with these first bytes is safetensors, complete or not."""
    return start[LENGTH : LENGTH + 1] == b"{" and start[LENGTH - 1] == 0


def kind_of(start: bytes) -> str:
    r"""Return the kind of a file with these first bytes, in a few words.

    >>> kind_of(b"GIF89a"), kind_of(b""), kind_of(b"hello"), kind_of(b"\x00\xff")
    ('a GIF image', 'empty', 'a text file', 'a binary file of another kind')
    """
    if not start:
        return "empty"
    for beginning, kind in _BEGINNINGS.items():
        if start.startswith(beginning):
            return kind
    is_text = b"\0" not in start and start.decode("utf-8", "replace").count("\ufffd") <= 1
    return "a text file" if is_text else "a binary file of another kind"


def is_model_file(path: Path) -> bool:
    """Return whether the file at `path` is safetensors by its name or its first bytes."""
    if path.suffix == ".safetensors":
        return True
    return is_safetensors(first_bytes(path, ENOUGH))

"""Atomic writes: a file is written beside its place, then moved into it."""

import os
import re
from contextlib import suppress
from pathlib import Path

from neptune_nas.errors import FileFormatError, NeptuneError, OptionError


def write_file(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` atomically.

    Raises `NeptuneError` if the folder cannot be written to or the disk is full.
    """
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise NeptuneError(
            f"{path} cannot be written ({error.strerror}): choose another place or make room."
        ) from error


def folder_name(text: str) -> str:
    """Return `text` without the characters special to some file system or shell.

    >>> folder_name("resnet8-cifar10#500")
    'resnet8-cifar10-500'
    """
    name = re.sub(r"[^\w.<>()+-]+", "-", text).strip("-.")
    if not name:
        raise OptionError(f"a folder's name needs letters or digits, but got '{text}'.")
    return name


def read_file(path: Path) -> str:
    """Return the text at `path`; raises `FileFormatError` if it is missing or not text."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{path} is not a text file: byte {error.start} is not UTF-8."
        ) from error

"""Atomic writes: a file is written beside its place, then moved into it."""

import os
import re
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from neptune_nas.errors import FileFormatError, NeptuneError, OptionError
from neptune_nas.files.regular import read_bytes


def write_file(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` atomically; a link at `path` is replaced, never followed.

    Text is written as UTF-8, with escapes for what UTF-8 cannot encode. Raises `NeptuneError` if
    the folder cannot be written to or the disk is full.
    """
    write_parts(
        path, [content.encode(errors="backslashreplace") if isinstance(content, str) else content]
    )


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts of a file one after the other, as `write_file` does."""
    # Nobody can guess the name, and "x" neither follows nor reuses what is there.
    beside = path.with_name(f".{path.name[:50]}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("xb") as file:
            _keep_private(path, file.fileno())
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise NeptuneError(
            f"{path} cannot be written ({error.strerror}): choose another place or make room."
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()


def _keep_private(path: Path, new: int) -> None:
    """Withhold the permissions that the regular file at `path` withholds, if there is one."""
    with suppress(OSError):
        old = path.lstat().st_mode
        if stat.S_ISREG(old):
            os.fchmod(new, stat.S_IMODE(os.fstat(new).st_mode) & old)


def check_inside(folder: Path, places: Iterable[Path]) -> None:
    """Refuse places in a folder that are really elsewhere, behind links in the folder.

    Raises `NeptuneError`.
    """
    root = os.path.realpath(folder)
    for place in places:
        real = os.path.realpath(place)
        if os.path.commonpath((root, real)) != root:
            raise NeptuneError(
                f"{place} leads out of {folder}, to {real}: replace the link with what it points "
                f"to; nothing is written through a link."
            )


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
    """Return the text at `path`; raises `FileFormatError` if it is missing, huge or not text."""
    return text_of(path, read_bytes(path))


def text_of(path: Path, data: bytes) -> str:
    """Return the content of a text file at `path`; raises `FileFormatError` if it is not UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{path} is not a text file: byte {error.start} is not UTF-8."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")

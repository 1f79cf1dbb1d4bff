"""Regular files from anywhere: opened without waiting, and read up to a size limit."""

import errno
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import GzipFile
from hashlib import file_digest
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from neptune_nas.errors import FileFormatError, shortened

TEXT = 2**25
"""The most bytes of a text that is parsed, whose values take up to 20 times as much memory."""
TABLE = 2**28
"""The most bytes of a table, unpacked."""
_MB = 2**20
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read its bytes.

    Raises `FileFormatError` if it is missing or cannot be read, and for a pipe or device, which
    could keep its reader waiting, or never end.
    """
    try:
        # Opening a pipe would wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except ValueError as error:  # a NUL in the path
        raise FileFormatError(f"{_short_path(path)} cannot be read: {error}.") from error
    except OSError as error:
        raise FileFormatError(f"{_short_path(path)} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(mode := os.fstat(handle).st_mode):
        os.close(handle)
        raise FileFormatError(f"{_short_path(path)} cannot be read: {_kind_of(mode)}.")
    try:
        with os.fdopen(handle, "rb") as file:
            yield file
    except OSError as error:
        raise FileFormatError(f"{_short_path(path)} cannot be read: {error.strerror}.") from error


def read_bytes(path: Path, most: int = TEXT) -> bytes:
    """Return the bytes of a regular file; raises `FileFormatError` for more than `most`."""
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _too_large(path, most)
    return data


def first_bytes(path: Path, count: int) -> bytes:
    """Return the first bytes of a regular file; none if it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(count)
    except FileFormatError:
        return b""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a regular file in hexadecimal; raises as `open_regular` does."""
    with open_regular(path) as file:
        return file_digest(cast("Any", file), "sha256").hexdigest()


def is_folder(path: Path) -> bool:
    """Return whether there is a folder at `path`; False for a name that no system allows."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Return whether there is a regular file at `path`; False for a name that no system allows."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_there(path: Path) -> bool:
    """Return whether there is anything at `path`, including a pipe or a broken link.

    Anything but a file is then refused when it is read, and not skipped in silence.
    """
    return os.path.lexists(path)


def unzipped(path: Path, data: bytes, most: int = TEXT) -> bytes:
    """Return what a gzip file at `path` holds; raises `FileFormatError` for more than `most`."""
    try:
        with GzipFile(fileobj=BytesIO(data)) as file:
            content = file.read(most + 1)
    except EOFError as error:
        raise FileFormatError(f"{_short_path(path)} is a gzip file that is cut off.") from error
    except (OSError, zlib.error) as error:
        raise FileFormatError(f"{_short_path(path)} is not a gzip file ({error}).") from error
    if len(content) > most:
        raise _too_large(path, most)
    return content


_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _kind_of(mode: int) -> str:
    """Return in words what a path leads to, if not to a regular file."""
    if stat.S_ISDIR(mode):
        return os.strerror(errno.EISDIR)
    kind = next((name for test, name in _KINDS if test(mode)), "a device")
    return f"it is {kind}, not a file"


def _too_large(path: Path, most: int) -> FileFormatError:
    return FileFormatError(
        f"{_short_path(path)} is too large: it must have at most {most // _MB} MiB."
    )


def _short_path(path: Path) -> str:
    return shortened(str(path), 300)

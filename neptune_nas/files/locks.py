"""Files that one process holds at a time."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from neptune_nas.errors import StudyError

PATIENCE = 0.2  # seconds to try for: `is_locked` of another process holds a lock for an instant


@contextmanager
def locked(file: Path, busy: str) -> Iterator[None]:
    """Keep other processes out while inside; what a killed one held is free again.

    Raises `StudyError`: `busy` if another process is inside, and another sentence where the folder
    of `file` cannot be written to.
    """
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise StudyError(busy) from error
    except OSError as error:
        raise _unwritable(file.parent, error.strerror) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(file: Path) -> bool | None:
    """Whether a process is inside; None where that cannot be found out, as by one who may only
    read.
    """
    if not file.exists():
        return False
    try:
        with FileLock(file, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return None


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to, or made, without making it.

    Raises `StudyError`, as `locked` would.
    """
    places = (folder.absolute(), *folder.absolute().parents)
    try:
        there = next(place for place in places if place.exists())
    except OSError as error:
        raise _unwritable(folder, error.strerror) from error
    if not there.is_dir():
        raise _unwritable(folder, f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(folder, os.strerror(errno.EACCES))


def _unwritable(folder: Path, reason: object) -> StudyError:
    return StudyError(
        f"folder {folder} cannot be written ({reason}): mend that, or choose another folder."
    )

"""Locks on files, each held by one process at a time."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from neptune_nas.errors import StudyError

_PATIENCE = 0.2  # seconds to retry: `is_locked` in another process holds a lock for an instant


@contextmanager
def locked(file: Path, busy: str) -> Iterator[None]:
    """Hold a lock against other processes inside; it ends with a killed process.

    Raises `StudyError`: with `busy` if another process holds it, and with another message if the
    folder of `file` cannot be written to, or `file` is a link.
    """
    if file.is_symlink():
        raise StudyError(f"{file} must be a lock file, but is a link: remove the link.")
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_PATIENCE)
    except Timeout as error:
        raise StudyError(busy) from error
    except OSError as error:
        raise _unwritable(file.parent, error.strerror) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(file: Path) -> bool | None:
    """Return whether a process holds the lock; None if unknown, as without write permission."""
    if not file.exists() or file.is_symlink():
        return False  # nobody can hold a link: `locked` refuses it
    try:
        with FileLock(file, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return None


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to or created, without creating it.

    Raises `StudyError`, as `locked` does.
    """
    places = (folder.absolute(), *folder.absolute().parents)
    try:
        there = next(place for place in places if place.exists())
    except OSError as error:
        raise _unwritable(folder, error.strerror) from error
    if not there.is_dir():
        raise _unwritable(folder, f"{there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(folder, os.strerror(errno.EACCES))


def _unwritable(folder: Path, reason: object) -> StudyError:
    return StudyError(
        f"folder {folder} cannot be written ({reason}): fix that, or choose another folder."
    )

"""Files that one process holds at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from neptune_nas.errors import StudyError


@contextmanager
def locked(file: Path, busy: str) -> Iterator[None]:
    """Keep other processes out while inside; what a killed one held is free again.

    Raises `StudyError`: `busy` if another process is inside, and another sentence where the folder
    of `file` cannot be written to.
    """
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StudyError(busy) from error
    except OSError as error:
        raise StudyError(
            f"folder {file.parent} cannot be written ({error.strerror}): mend that, or choose "
            f"another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()

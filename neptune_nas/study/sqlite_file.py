"""SQLite files from anywhere, opened read-only: nothing is changed in them or beside them."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from shutil import copyfile
from stat import S_ISLNK, S_ISREG
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

from sqlalchemy.pool import NullPool, StaticPool

from neptune_nas.errors import StudyError

_JOURNAL, _WAL, _SHM = "-journal", "-wal", "-shm"
_SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # the end of a journal that names a file
_MOST_IN_MEMORY = 2**31  # bytes
_LONGEST_VALUE = 2**26  # bytes, of one text or one row
_UNREADABLE = frozenset(
    {
        *("SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY", "SQLITE_READONLY_CANTINIT"),
        "SQLITE_IOERR_LOCK",
    }
)
"""The errors of SQLite if a killed process left a transaction that only a writer may undo, and if a
reader that would be alone finds a write-ahead log."""
_TRIES = 3  # a journal that is just being deleted looks like one left behind

_PROGRAMS = (
    # views, triggers and virtual tables
    "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR "
    "coalesce(rootpage, 0) < 1",
    # generated columns, and indices with a condition or of an expression
    "SELECT m.name FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c "
    "WHERE m.type = 'table' AND c.hidden <> 0",
    "SELECT i.name FROM sqlite_master AS m, pragma_index_list(m.name) AS i, "
    "pragma_index_xinfo(i.name) AS c WHERE m.type = 'table' AND (i.partial OR c.cid = -2)",
)
"""Queries of what SQLite computes; the later ones are not safe if the first finds anything."""


def reading_options(file: Path) -> dict[str, Any]:
    """Return the options of an engine that reads an SQLite file, or a copy of it in memory.

    In a copy, the last transaction of a killed process is undone. Raises `StudyError` for a file
    that cannot be read safely: one that is damaged, whose schema makes SQLite compute something,
    or that has something odd beside it.
    """
    tries = 0
    while not _is_readable(file):
        tries += 1
        if tries >= _TRIES and (content := _copy_of(file)) is not None:
            load = partial(_load, content)
            _check_content(file, load)
            return {"creator": load, "poolclass": StaticPool}
        sleep(0.1)
    return {"creator": partial(_connect, file), "poolclass": NullPool}


def _is_readable(file: Path) -> bool:
    """Return whether a file can be read without being written; raises `StudyError` if unsafe."""
    _check_companions(file)
    log, index = _mode_of(Path(f"{file}{_WAL}")), _mode_of(Path(f"{file}{_SHM}"))
    is_shared = S_ISREG(log) and S_ISREG(index)  # some process writes the log
    if log and not is_shared:
        return False
    try:
        _check_content(file, partial(_connect if is_shared else _connect_alone, file))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname not in _UNREADABLE:
            raise
        return False
    return True


def _connect_alone(file: Path) -> sqlite3.Connection:
    """Return a connection that fails before it creates a write-ahead log.

    The file's header would say whether there is one, but opening and closing a file releases all
    locks that a writer in the same process has on it.
    """
    connection = _connect(file)
    connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
    return connection


def _connect(file: Path) -> sqlite3.Connection:
    # A search may hold the lock for a moment.
    uri = f"{file.as_uri()}?mode=ro"
    return _limit_values(sqlite3.connect(uri, timeout=60, uri=True, check_same_thread=False))


def _load(content: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    if content:
        connection.deserialize(content)
    connection.execute("PRAGMA query_only=ON")
    return _limit_values(connection)


def _limit_values(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    return connection


def _check_companions(file: Path) -> None:
    """Refuse anything beside a file that would make SQLite wait, or delete another file.

    Undoing a journal that names a super-journal deletes the file of that name.
    """
    for end in (_JOURNAL, _WAL, _SHM):
        part = Path(f"{file}{end}")
        if (mode := _mode_of(part)) and not (S_ISREG(mode) or S_ISLNK(mode)):
            raise StudyError(
                f"{part} is not a file, so {file.name} cannot be opened: delete {part.name}."
            )
    journal = Path(f"{file}{_JOURNAL}")
    if _last_bytes(journal, len(_SUPER_JOURNAL)) == _SUPER_JOURNAL:
        raise StudyError(
            f"{journal} names another file, which SQLite would delete; no search writes such a "
            f"journal. Restore a copy of the database without it, or search under another name."
        )


def _check_content(file: Path, connect: Callable[[], sqlite3.Connection]) -> None:
    """Refuse a database that computes something, or is damaged: reading it might not end.

    Its pages may lead in circles, which SQLite's own check finds, in 0.2 s for 100 MB.
    """
    with closing(connect()) as connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        for query in _PROGRAMS:
            if (row := connection.execute(query).fetchone()) is not None:
                raise StudyError(
                    f"{file} has a view, trigger, virtual table or formula (`{row[0]!s:.60}`), "
                    f"which no search makes, and reading it may never end: restore a copy of the "
                    f"database, or search under another name."
                )
        (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if result != "ok":
        why = str(result).rpartition("\n")[2]
        raise StudyError(
            f"{file} is damaged ({why}): restore a copy of it, or search under another name."
        )


def _copy_of(file: Path) -> bytes | None:
    """Return the content of an SQLite file after its last transaction is undone, or completed.

    None if a process wrote to the file meanwhile.
    """
    sizes = _sizes(file)
    if sum(size for size, _ in sizes.values()) > _MOST_IN_MEMORY:
        raise StudyError(
            f"{file} cannot be read without changing it, and is too large to be copied into memory "
            f"(over 2 GiB): run `sqlite3 {file} 'PRAGMA journal_mode=DELETE'`."
        )
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        with suppress(FileNotFoundError):
            for end in sizes:
                copyfile(f"{file}{end}", f"{copy}{end}")
        if _sizes(file) != sizes:
            return None
        _check_companions(copy)
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchall()
            return connection.serialize() or b""


def _sizes(file: Path) -> dict[str, tuple[int, int]]:
    """Return the sizes, and the times of the last change, of a file and those beside it."""
    parts = {end: Path(f"{file}{end}") for end in ("", _JOURNAL, _WAL)}
    return {
        end: (status.st_size, status.st_mtime_ns)
        for end, part in parts.items()
        if (status := _status_of(part)) and S_ISREG(status.st_mode)
    }


def _mode_of(path: Path) -> int:
    """Return the mode of what is at a path, without following a link; 0 if there is nothing."""
    status = _status_of(path)
    return status.st_mode if status else 0


def _status_of(path: Path) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return path.lstat()
    return None


def _last_bytes(path: Path, number: int) -> bytes:
    """Return the end of a regular file; none if there is no such file (any more)."""
    if not S_ISREG(_mode_of(path)):
        return b""
    with suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - number))
        return file.read(number)
    return b""

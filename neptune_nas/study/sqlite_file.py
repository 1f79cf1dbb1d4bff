"""SQLite files from anywhere, opened read-only: nothing is changed in them or beside them."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import lru_cache, partial
from pathlib import Path
from shutil import copyfile
from stat import S_ISLNK, S_ISREG
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any, NamedTuple
from uuid import uuid4
from weakref import finalize

from sqlalchemy.pool import NullPool

from neptune_nas.errors import StudyError

_JOURNAL, _WAL, _SHM = "-journal", "-wal", "-shm"
_SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # the end of a journal that names a file
_LARGEST_COPY = 2**30  # bytes, which are held in memory
_LONGEST_VALUE = 2**26  # bytes, of one text or one row
_UNREADABLE = frozenset(
    {
        *("SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY", "SQLITE_READONLY_CANTINIT"),
        "SQLITE_IOERR_LOCK",
    }
)
"""The errors of SQLite if a killed process left a transaction that only a writer may undo, and if a
reader that would be alone finds a write-ahead log."""
_TRIES = 20
_TRIES_WITHOUT_COPY = 2  # a journal that is just being deleted looks like one left behind

_TICK = 1_000  # steps of SQLite's virtual machine between two looks at what is left of a limit
_SCHEMA_ENTRIES, _SCHEMA_ENTRY = 1_000, 2**16  # at most, and bytes; Optuna has 30 of 1 kB
_SCHEMA_STEPS = 20 * _SCHEMA_ENTRIES  # an entry takes 12
_STEPS, _STEPS_PER_BYTE = 10**7, 4  # a check takes 0.05 per byte, and 0.4 if all rows are empty

_FORMULA_QUERIES = (
    # views, triggers and virtual tables
    "SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR "
    "coalesce(rootpage, 0) < 1",
    # generated columns, and indices with a condition or of an expression
    "SELECT m.type, m.name FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c "
    "WHERE m.type = 'table' AND c.hidden <> 0",
    "SELECT 'index', i.name FROM sqlite_master AS m, pragma_index_list(m.name) AS i, "
    "pragma_index_xinfo(i.name) AS c WHERE m.type = 'table' AND (i.partial OR c.cid = -2)",
)
"""Queries of what SQLite computes; the later ones are not safe if the first finds anything."""


class _Part(NamedTuple):
    """The state of a database's file, or of one beside it; it changes whenever that is written."""

    end: str
    size: int
    device: int
    inode: int
    modified_ns: int


def reading_options(file: Path) -> dict[str, Any]:
    """Return the options of an engine that reads an SQLite file, or a temporary copy of it.

    In a copy, the last transaction of a killed process is undone. Raises `StudyError` for a file
    that cannot be read safely: one that is damaged, whose schema makes SQLite compute something,
    or that has something odd beside it.
    """
    for attempt in range(_TRIES):
        _check_companions(file)
        parts = _parts(file)
        if _is_readable(file, parts):
            return {"creator": partial(_connect, file), "poolclass": NullPool}
        if attempt >= _TRIES_WITHOUT_COPY and (connect := _copy(file, parts)) is not None:
            return {"creator": connect, "poolclass": NullPool}
        sleep(0.1)
    raise StudyError(
        f"{file} is being written by another program: wait until that ends, then run the same "
        f"command again."
    )


def _is_readable(file: Path, parts: tuple[_Part, ...]) -> bool:
    """Return whether a file can be read without being written; raises `StudyError` if unsafe."""
    ends = {part.end for part in parts}
    is_shared = S_ISREG(_mode_of(Path(f"{file}{_SHM}")))  # by those who write the log, or did
    if _WAL in ends and not is_shared:
        return False
    # Whether a journal must be undone depends on its writer, too: it may have been killed.
    check = _check if _JOURNAL in ends else _check_once
    try:
        check(file, parts, _WAL in ends)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname not in _UNREADABLE:
            raise
        return False
    return True


def _check(file: Path, parts: tuple[_Part, ...], has_log: bool) -> None:
    with closing((_connect if has_log else _connect_alone)(file)) as connection:
        _check_content(file, parts, connection)


_check_once = lru_cache(maxsize=8)(_check)  # errors are not remembered


def _connect_alone(file: Path) -> sqlite3.Connection:
    """Return a connection that fails before it creates a write-ahead log.

    The file's header would say whether there is one, but opening and closing a file releases all
    locks that a writer in the same process has on it.
    """
    connection = _connect(file)
    connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
    return connection


def _connect(file: Path) -> sqlite3.Connection:
    # A search may hold the lock for a moment. The index of a write-ahead log that a killed process
    # left is rebuilt, which `readonly_shm` has done in memory.
    uri = f"{file.as_uri()}?mode=ro&readonly_shm=1"
    return _limit_values(sqlite3.connect(uri, timeout=60, uri=True, check_same_thread=False))


def _limit_values(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    return connection


def _limit_steps(connection: sqlite3.Connection, steps: int) -> None:
    """Interrupt what runs on a connection after some steps of SQLite's virtual machine."""
    ticks = iter(range(steps // _TICK))
    connection.set_progress_handler(lambda: next(ticks, None) is None, _TICK)


def _check_companions(file: Path) -> None:
    """Refuse anything beside a file that would make SQLite wait, or delete another file.

    SQLite follows no link, so it could not write. Undoing a journal that names a super-journal
    deletes the file of that name.
    """
    for end in (_JOURNAL, _WAL, _SHM):
        part = Path(f"{file}{end}")
        if (mode := _mode_of(part)) and not S_ISREG(mode):
            what = "a link" if S_ISLNK(mode) else "not a file"
            raise StudyError(
                f"{part} is {what}, so {file.name} cannot be opened: delete {part.name}."
            )
    journal = Path(f"{file}{_JOURNAL}")
    if _last_bytes(journal, len(_SUPER_JOURNAL)) == _SUPER_JOURNAL:
        raise StudyError(
            f"{journal} names another file, which SQLite would delete; no search writes such a "
            f"journal. Restore a copy of the database without it, or use another `storage`."
        )


def _check_content(file: Path, parts: tuple[_Part, ...], connection: sqlite3.Connection) -> None:
    """Refuse a database that computes something, or is damaged: reading it might not end.

    Its pages may lead in circles, which SQLite's own check finds, in 0.2 s for 100 MB. That reads
    the schema first, whose pages may do so as well.
    """
    try:
        _check_schema(file, connection)
        _limit_steps(connection, _STEPS + _STEPS_PER_BYTE * _size(parts))
        _check_formulas(file, connection)
        connection.execute("PRAGMA ignore_check_constraints=ON")
        (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_INTERRUPT":
            raise
        result = "its pages lead in circles"
    finally:
        connection.set_progress_handler(None, 0)
    if result != "ok":
        why = str(result).rpartition("\n")[2]
        raise StudyError(
            f"{file} is damaged ({why}): restore a copy of it, or use another `storage`."
        )


def _check_schema(file: Path, connection: sqlite3.Connection) -> None:
    """Refuse a schema that takes long to read; the time grows with the square of its size."""
    _limit_steps(connection, _SCHEMA_STEPS)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _SCHEMA_ENTRY)
    count = None
    try:
        (count,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (sqlite3.OperationalError, sqlite3.DataError) as error:
        if error.sqlite_errorname not in {"SQLITE_INTERRUPT", "SQLITE_TOOBIG"}:
            raise
    finally:
        _limit_values(connection)
    if count is None or count > _SCHEMA_ENTRIES:
        raise StudyError(
            f"{file} is damaged, or has more than {_SCHEMA_ENTRIES:,} tables and indices: restore "
            f"a copy of it, or use another `storage`."
        )


def _check_formulas(file: Path, connection: sqlite3.Connection) -> None:
    for query in _FORMULA_QUERIES:
        if (row := connection.execute(query).fetchone()) is not None:
            kind, name = row[0], f"{row[1]!s:.60}"
            remedy = "restore a copy of the database"
            if kind in ("view", "trigger", "index"):  # not a table, which holds data
                remedy = f"drop it (`DROP {kind.upper()} {name}`)"
            raise StudyError(
                f"{file} has a view, trigger, virtual table or formula (`{name}`), which no search "
                f"makes, and reading it may never end: {remedy}, or use another `storage`."
            )


def _copy(file: Path, parts: tuple[_Part, ...]) -> Callable[[], sqlite3.Connection] | None:
    """Return a function that connects to a copy of a file, without an unfinished transaction.

    Only SQLite can undo or complete one, and only on disk. The copy then moves to memory, so that
    nothing is left of it, however its reader ends. None if a process wrote to the file meanwhile.
    """
    if _size(parts) > _LARGEST_COPY:
        raise StudyError(
            f"{file} cannot be read without changing it, and is too large to be copied (over 1 "
            f"GiB): run `sqlite3 {file} 'PRAGMA journal_mode=DELETE'`."
        )
    with TemporaryDirectory(prefix="neptune-nas-") as folder:
        copy = Path(folder) / "copy.db"
        with suppress(FileNotFoundError):
            for part in parts:
                copyfile(f"{file}{part.end}", f"{copy}{part.end}")
        if _parts(file) != parts:
            return None
        _check_companions(copy)
        with closing(sqlite3.connect(copy)) as connection:
            _check_content(file, parts, connection)
            connection.execute("PRAGMA journal_mode=DELETE").fetchall()
            return _in_memory(connection)


def _in_memory(connection: sqlite3.Connection) -> Callable[[], sqlite3.Connection]:
    """Return a function that connects to a copy in memory, which lasts as long as the function."""
    connect = partial(_connect_to_memory, f"file:{uuid4()}?mode=memory&cache=shared")
    content = connect()
    connection.backup(content)
    content.commit()
    finalize(connect, content.close)
    return connect


def _connect_to_memory(uri: str) -> sqlite3.Connection:
    return _limit_values(sqlite3.connect(uri, uri=True, check_same_thread=False))


def _parts(file: Path) -> tuple[_Part, ...]:
    """Return the states of a file and those beside it that hold its content."""
    return tuple(
        _Part(end, s.st_size, s.st_dev, s.st_ino, s.st_mtime_ns)
        for end in ("", _JOURNAL, _WAL)
        if (s := _status_of(Path(f"{file}{end}"))) and S_ISREG(s.st_mode)
    )


def _size(parts: tuple[_Part, ...]) -> int:
    return sum(part.size for part in parts)


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

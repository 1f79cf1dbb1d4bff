"""The lease on a study, in its database: only its holder writes there.

It is two rows of Optuna's `study_system_attributes`: one says who searches; the other, the beat, is
a number that the holder changes every few seconds. No clocks are compared: a holder whose beat does
not change for long enough, by the clock of whoever watches, counts as dead. It may be alive, on a
machine that was suspended; so every transaction that writes first locks the lease and checks that
it still holds it. A lease is taken under the same lock.
"""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy
from sqlalchemy import Update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from neptune_nas.errors import FileFormatError, StudyError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.schema import decode
from neptune_nas.interrupts import raise_held
from neptune_nas.study.database import engine_of, insert_if_absent
from neptune_nas.study.database_url import database_errors
from neptune_nas.study.store import Store
from neptune_nas.text import duration

_LEASE, _BEAT = "neptune:lease", "neptune:beat"
_FREE = "null"
_WRITES = ("INSERT", "UPDATE", "DELETE")
_ROWS = sqlalchemy.table(
    "study_system_attributes", *map(sqlalchemy.column, ("study_id", "key", "value_json"))
)
_VALUE = _ROWS.c.value_json


class LeaseLostError(StudyError):
    """Another search has taken the study over, so this one may write nothing more."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The times of a lease in seconds: between two beats, and without one before it is stale."""

    beat: float = 5.0
    stale: float = 60.0


USUAL = Terms()


@dataclass(frozen=True, slots=True)
class _Holder:
    """A search that holds a lease; `folder`: the id of its folder; `since`: by its own clock."""

    id: str
    folder: str
    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


class _State(NamedTuple):
    """A lease and its beat as the database holds them."""

    lease: str | None
    beat: str | None


@dataclass(slots=True)
class _Lease:
    """The lease on one study, for one search that wants it or holds it as `mine`."""

    engine: Engine
    study_id: int
    name: str
    mine: str
    terms: Terms
    is_over: Event = field(init=False, default_factory=Event)

    def take(self, folder: str, say: Callable[[str], None]) -> None:
        """Take the lease if it is free, stale, or left behind by an earlier search of `folder`.

        Raises `StudyError` as soon as its holder shows that it is alive.
        """
        self._add_rows()
        state, watched, is_announced = self._state(), monotonic(), False
        while not (self._may_take(state, folder, watched) and self._swap(state, self.mine)):
            if not is_announced:
                say(self._waiting_message(state))
                is_announced = True
            raise_held()
            sleep(self.terms.beat / 10)
            before, state = state, self._state()
            if state.lease != before.lease:
                watched = monotonic()
            elif state.beat != before.beat:
                raise StudyError(self._busy_message(state))

    def _may_take(self, state: _State, folder: str, watched: float) -> bool:
        holder = _holder_in(state)
        is_left = state.lease in (None, _FREE) or (holder is not None and holder.folder == folder)
        return is_left or monotonic() - watched > self.terms.stale

    def _add_rows(self) -> None:
        """Write the two rows where they are missing; another search may do so at the same time."""
        for key, value, now in zip((_LEASE, _BEAT), (_FREE, "0"), self._state(), strict=True):
            if now is None:
                row = {"study_id": self.study_id, "key": key, "value_json": value}
                insert_if_absent(self.engine, _ROWS.name, row)

    def _state(self) -> _State:
        with self.engine.connect() as connection:
            return self._read(connection)

    def _read(self, connection: Connection) -> _State:
        rows = sqlalchemy.select(_ROWS.c.key, _VALUE).where(
            _ROWS.c.study_id == self.study_id, _ROWS.c.key.in_((_LEASE, _BEAT))
        )
        values = {row.key: row.value_json for row in connection.execute(rows)}
        return _State(values.get(_LEASE), values.get(_BEAT))

    def _update(self, key: str) -> Update:
        return _ROWS.update().where(_ROWS.c.study_id == self.study_id, _ROWS.c.key == key)

    @property
    def _update_if_held(self) -> Update:
        """An update of the lease that has an effect only while it is held."""
        return self._update(_LEASE).where(_ROWS.c.value_json == self.mine)

    def _swap(self, before: _State, lease: str) -> bool:
        """Write a lease if the old one and its beat are unchanged, and return whether they were."""
        with self.engine.begin() as connection:
            connection.execute(self._update(_LEASE).values(value_json=_VALUE))  # locks the row
            if self._read(connection) != before:
                return False
            connection.execute(self._update(_LEASE).values(value_json=lease))
        return True

    def release(self) -> None:
        """Free the lease, if it is still held."""
        with self.engine.begin() as connection:
            connection.execute(self._update_if_held.values(value_json=_FREE))

    def is_held(self) -> bool:
        """Return whether the lease is still held; True if the database does not answer."""
        try:
            return self._state().lease == self.mine
        except SQLAlchemyError:
            return True

    def fence(self, connection: Connection, _: object, statement: str, *__: object) -> None:
        """Lock and check the lease before the first statement of a transaction that writes."""
        transaction = connection.get_transaction()
        is_checked = connection.info.get(_LEASE) is transaction
        if is_checked or not statement.lstrip()[:6].upper().startswith(_WRITES):
            return
        connection.info[_LEASE] = transaction  # first, as the check itself writes
        if connection.execute(self._update_if_held.values(value_json=_VALUE)).rowcount != 1:
            del connection.info[_LEASE]
            raise self.lost(self._read(connection))

    def beat(self) -> None:
        """Change the beat every few seconds until the search is over or has lost its lease."""
        if hasattr(signal, "pthread_sigmask"):  # signals wake the main thread, not this one
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        for number in count(1):
            try:
                with self.engine.begin() as connection:
                    connection.execute(self._update(_BEAT).values(value_json=str(number)))
            except LeaseLostError:
                return
            except SQLAlchemyError:
                pass  # the database may come back; if not, the search's next write fails
            if self.is_over.wait(self.terms.beat):
                return

    @contextmanager
    def guard_writes(self) -> Iterator[None]:
        """Renew the lease, and check it at every write, inside the context; then free it."""
        sqlalchemy.event.listen(self.engine, "before_cursor_execute", self.fence)
        beating = Thread(target=self.beat, name="lease", daemon=True)
        beating.start()
        try:
            yield
        finally:
            self.is_over.set()
            beating.join(self.terms.beat)
            sqlalchemy.event.remove(self.engine, "before_cursor_execute", self.fence)
            with suppress(SQLAlchemyError):  # else it becomes stale
                self.release()
            self.engine.dispose()

    def _waiting_message(self, state: _State) -> str:
        return (
            f"Study '{self.name}' was searched by {_name_of(state)}: waiting up to "
            f"{duration(self.terms.stale)} to see whether that search is still running."
        )

    def _busy_message(self, state: _State) -> str:
        return (
            f"study '{self.name}' is being searched by {_name_of(state)}, from another folder: "
            f"wait until it ends, then run the same command to resume, or search under another "
            f"`name` (--study-name). If that process dies, this command takes the study over after "
            f"{duration(self.terms.stale)}."
        )

    def lost(self, state: _State | None = None) -> LeaseLostError:
        """Return the error for a search that has lost its lease."""
        return LeaseLostError(self._lost_message(state or self._state()))

    def _lost_message(self, state: _State) -> str:
        if state.lease is None:
            return (
                f"study '{self.name}' has been deleted from its database: this search ends here "
                f"and writes nothing more."
            )
        holder = "a search that has ended since" if state.lease == _FREE else _name_of(state)
        return (
            f"study '{self.name}' has been taken over by {holder}, as this search did not "
            f"renew its lease for {duration(self.terms.stale)} (was its machine asleep?): this "
            f"search ends here and writes nothing more. What it wrote before is kept."
        )


def _holder_in(state: _State) -> _Holder | None:
    """Return who holds a lease; None if nobody does, or if it cannot be read."""
    with suppress(ValueError, RecursionError, FileFormatError):
        return decode(_Holder, json.loads(state.lease or _FREE))
    return None


def _name_of(state: _State) -> str:
    return str(_holder_in(state) or "another search")


def folder_id(file: Path) -> str:
    """Return the id of a study's folder, which `file` in it stores; a copy has another.

    A search that holds the folder's lock, and finds a lease with this id, knows that its holder has
    ended.
    """
    if not file.is_file():
        write_file(file, uuid4().hex)
    return f"{read_file(file)[:32]}-{file.stat().st_ino}"


@contextmanager
def _limit_idle_transactions(engine: Engine, terms: Terms) -> Iterator[None]:
    """Make PostgreSQL end a transaction in which a process is suspended, inside the context.

    Such a process would keep the lease locked, so that nobody could take it. A transaction does not
    count as idle amid a pipeline, which psycopg makes of several rows: they are sent one by one.
    """

    def limit(connection: Any, _: object) -> None:
        milliseconds = round(1000 * terms.stale)
        connection.cursor().execute(f"SET idle_in_transaction_session_timeout = {milliseconds}")
        connection.commit()

    def send_one_by_one(cursor: Any, statement: str, rows: Iterable[Any], _: object) -> bool:
        for row in rows:
            cursor.execute(statement, row)
        return True

    if engine.dialect.name != "postgresql":
        yield
        return
    sqlalchemy.event.listen(engine, "connect", limit)
    sqlalchemy.event.listen(engine, "do_executemany", send_one_by_one)
    engine.dispose()  # connections so far lack the limit
    try:
        yield
    finally:
        sqlalchemy.event.remove(engine, "connect", limit)
        sqlalchemy.event.remove(engine, "do_executemany", send_one_by_one)
        engine.dispose()


@contextmanager
def hold_lease(
    store: Store, folder: str, say: Callable[[str], None], terms: Terms = USUAL
) -> Iterator[Callable[[], bool]]:
    """Hold the lease on the study of `store`, whose writes it guards; then close its connections.

    Yields a function that tells whether it is still held. `folder`: as `folder_id` returns it; its
    lock must be held. `say` is called with a sentence before a wait. Raises
    `StudyError` where another search holds the lease, and, from a write inside, `LeaseLostError`
    once another has taken it.
    """
    engine, name = engine_of(store.storage), store.storage.get_study_name_from_id(store.study_id)
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    holder = _Holder(uuid4().hex, folder, socket.gethostname(), os.getpid(), since)
    lease = _Lease(engine, store.study_id, name, json.dumps(asdict(holder)), terms)
    with _limit_idle_transactions(engine, terms):
        with database_errors(engine.url.render_as_string(hide_password=False)):
            lease.take(folder, say)
        with lease.guard_writes():
            try:
                yield lease.is_held
            except LeaseLostError:
                raise
            except Exception as error:  # such as Optuna's, of a trial that the other has finished
                if lease.is_held():
                    raise
                raise lease.lost() from error

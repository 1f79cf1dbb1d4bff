"""Two searches of one study from two folders: killed, suspended, and begun at the same time."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest

from benchmarks.contenders import LOST, NAME, REFUSED, Contender, Nursery, nursery
from benchmarks.kill_storm import contest, ended
from neptune_nas.errors import NeptuneError
from neptune_nas.study.store import open_store
from neptune_nas.study.trial import Trial

TRIALS = 40


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nursery") / "log.txt"


@pytest.fixture(scope="module")
def born(log: Path) -> Iterator[Nursery]:
    with nursery(log) as made:
        yield made


def contenders(out: Path, url: str, stale: float) -> tuple[Contender, Contender]:
    def of(name: str) -> Contender:
        return Contender(
            str(out / name), url, TRIALS, seconds=0.05, beat=0.1, stale=stale, is_light=True
        )

    return of("a"), of("b")


def trials(url: str) -> tuple[Trial, ...]:
    try:
        return open_store(url, NAME).trials()
    except NeptuneError:  # not begun yet
        return ()


def wait_until(holds: Callable[[], object]) -> None:
    while not holds():
        sleep(0.05)


def suspend(pid: int, url: str) -> None:
    """Suspend a process, but not amid a write to a file of SQLite, which then stays locked."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        if not url.startswith("sqlite") or is_writable(url.removeprefix("sqlite:///")):
            return
        os.kill(pid, signal.SIGCONT)
        sleep(0.02)


def is_writable(file: str) -> bool:
    with closing(sqlite3.connect(file, timeout=0.2)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return False
    return True


def test_one_that_was_suspended_ends_and_writes_nothing_once_the_other_has_taken_over(
    database: str, tmp_path: Path, born: Nursery, log: Path
) -> None:
    a, b = contenders(tmp_path, database, stale=1.0)
    first = born.start(a)
    wait_until(lambda: len(ended(trials(database))) >= 2)
    suspend(first, database)
    before = ended(trials(database))
    second = born.start(b)
    assert born.wait(second) == 0
    after = trials(database)
    os.kill(first, signal.SIGCONT)
    assert born.wait(first) == LOST
    assert trials(database) == after
    assert len({trial.key for trial in after}) == len(after) == TRIALS
    assert {number: ended(after)[number] for number in before} == before
    assert (
        "has been taken over by a search that has ended since, as this search did not"
        in log.read_text()
    )


def test_the_other_is_refused_while_the_first_works_and_then_finds_all_done(
    database: str, tmp_path: Path, born: Nursery, log: Path
) -> None:
    a, b = contenders(tmp_path, database, stale=60)
    first = born.start(a)
    wait_until(lambda: trials(database))
    second = born.start(b)
    assert born.wait(second) == REFUSED
    assert f"is being searched by process {first} on" in log.read_text()
    assert born.wait(first) == 0
    third = born.start(b)
    assert born.wait(third) == 0
    assert len(ended(trials(database))) == TRIALS


def test_killed_again_and_again_they_lose_no_trial_and_have_none_twice(
    database: str, tmp_path: Path, born: Nursery
) -> None:
    going = contest(born, contenders(tmp_path, database, stale=0.6), kills=6, seed=1)
    assert going.kills >= 3
    assert len(going.seen) == TRIALS

"""The lease on a study, in SQLite and in PostgreSQL."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Semaphore, current_thread, main_thread
from typing import Any

import optuna
import psycopg
import pytest
import sqlalchemy

from neptune_nas.architecture.codec import key
from neptune_nas.errors import StudyError
from neptune_nas.metrics.score import Score
from neptune_nas.samplers.sampler import distribution
from neptune_nas.study.database import engine_of
from neptune_nas.study.lease import LeaseLostError, Terms, folder_id, hold_lease
from neptune_nas.study.store import Store, create_store
from neptune_nas.study.trial import State, Trial
from tests.postgres import new_database
from tests.study.builders import AIMS, SPACE, frozen_in

QUICK, SURE = Terms(beat=0.1, stale=0.4), Terms(beat=0.1, stale=60)
DEAD = {"id": "0", "folder": "there", "host": "far", "pid": 7, "since": "2026-01-01 00:00 UTC"}


def store_at(url: str) -> Store:
    return create_store(url, "few-digits", AIMS, "a question")


def added(store: Store, seed: int = 0) -> Trial:
    architecture = SPACE.sample(Random(seed))
    picks = SPACE.picks(architecture)
    kinds = {d.path: distribution(d) for d in SPACE.decisions if d.path in picks}
    return store.add(Trial(-1, architecture, key(architecture), {}, picks), kinds, {})


def lease_in(store: Store) -> object:
    return store.storage.get_study_system_attrs(store.study_id)["neptune:lease"]


def timeout_in(store: Store) -> object:
    with engine_of(store.storage).connect() as connection:
        return connection.execute(
            sqlalchemy.text("SHOW idle_in_transaction_session_timeout")
        ).scalar()


def leave(store: Store, holder: Any, beat: int = 0) -> None:
    """Write the lease of a search that does not free it."""
    store.storage.set_study_system_attr(store.study_id, "neptune:lease", holder)
    store.storage.set_study_system_attr(store.study_id, "neptune:beat", beat)


def test_a_second_search_is_refused_by_a_sentence_on_the_first(database: str) -> None:
    said: list[str] = []
    with hold_lease(store_at(database), "here", said.append, SURE):
        assert said == []
        busy = rf"'few-digits' is being searched by process {os.getpid()} on \S+ since 20"
        then = ".*: wait until it ends, then run the same command to resume, or"
        with (
            pytest.raises(StudyError, match=busy + then),
            hold_lease(store_at(database), "there", said.append, SURE),
        ):
            pass
    assert len(said) == 1
    with hold_lease(store_at(database), "there", said.append, QUICK):
        pass
    assert len(said) == 1
    assert lease_in(store_at(database)) is None


def test_of_many_searches_that_begin_at_once_one_is_let_in(database: str) -> None:
    refused = Semaphore(0)

    def begin(number: int) -> str:
        try:
            with hold_lease(store_at(database), str(number), lambda _: None, SURE):
                assert all(refused.acquire(timeout=60) for _ in range(5))
        except StudyError as error:
            refused.release()
            return str(error)
        return "was let in"

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(begin, range(6)))
    assert answers.count("was let in") == 1
    assert sum("is being searched by process" in each for each in answers) == 5


@pytest.mark.parametrize("holder", [DEAD, {"of": "a later release"}, "odd", 5, [[]]])
def test_a_lease_whose_beat_stands_still_is_taken_after_a_while(
    database: str, holder: object
) -> None:
    store, said = store_at(database), list[str]()
    leave(store, holder, beat=12)
    with hold_lease(store, "here", said.append, QUICK):
        added(store)
    name = "process 7 on far since 2026-01-01 00:00 UTC" if holder is DEAD else "another search"
    (sentence,) = said
    assert sentence.startswith(f"Study 'few-digits' was searched by {name}: waiting up to")
    assert len(store_at(database).trials()) == 1


def test_a_search_of_the_same_folder_takes_its_lease_at_once(database: str) -> None:
    store, said = store_at(database), list[str]()
    leave(store, {**DEAD, "folder": "here"})
    with hold_lease(store, "here", said.append, Terms(stale=1e6)):
        added(store)
    assert said == []


@pytest.mark.xdist_group("postgres")
def test_an_error_before_the_lease_is_held_never_shows_the_password(postgres: str) -> None:
    url = new_database(postgres).replace("ada@", "ada:s3cret@")
    leave(store_at(url), DEAD)

    def fail(_: str) -> None:
        raise ConnectionError("no entry for s3cret")

    with (
        pytest.raises(StudyError, match="cannot be opened: ConnectionError") as refused,
        hold_lease(store_at(url), "here", fail, QUICK),
    ):
        pass
    assert "s3cret" not in str(refused.value)


@pytest.mark.xdist_group("postgres")
def test_transactions_are_limited_while_the_lease_is_held_and_as_long_as_it_says(
    postgres: str,
) -> None:
    store = store_at(new_database(postgres))
    usual = timeout_in(store)
    for stale, limit in ((7, "7s"), (90, "90s")):
        with hold_lease(store, "here", lambda _: None, Terms(stale=stale)):
            assert timeout_in(store) == limit
        assert timeout_in(store) == usual


@pytest.mark.xdist_group("postgres")
def test_no_rows_are_sent_in_a_pipeline_amid_which_no_transaction_is_limited(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_at(new_database(postgres))
    monkeypatch.setattr(psycopg.Cursor, "executemany", None)  # what sends a pipeline
    with hold_lease(store, "here", lambda _: None, SURE):
        trial = added(store)
        assert len(trial.picks) > 1
    assert [each.picks for each in store.trials()] == [trial.picks]


WRITES: dict[str, Callable[[Store, Trial], object]] = {
    "add": lambda store, _: added(store, 1),
    "add_score": lambda store, trial: store.add_score(
        replace(trial, scores=(Score(1, {"accuracy": 0.5, "loss": 1.0}),)), is_last=False
    ),
    "finish": lambda store, trial: store.finish(replace(trial, state=State.PRUNED), None),
    "set_counts": lambda store, _: store.set_counts({"duplicates": 1}),
}


@pytest.mark.parametrize("write", WRITES)
def test_who_has_lost_the_lease_writes_nothing_and_says_who_has_it(
    database: str, write: str
) -> None:
    store = store_at(database)
    with hold_lease(store, "here", lambda _: None, Terms(beat=60)):
        trial = added(store)
        leave(store_at(database), DEAD)
        before = frozen_in(store_at(database)), store_at(database).counts()
        for _ in range(2):
            with pytest.raises(LeaseLostError, match=r"taken over by process 7 on far .* asleep"):
                WRITES[write](store, trial)
    assert (frozen_in(store_at(database)), store_at(database).counts()) == before
    assert lease_in(store) == DEAD


def test_a_study_that_is_deleted_meanwhile_ends_its_search_in_a_sentence(database: str) -> None:
    store = store_at(database)
    with hold_lease(store, "here", lambda _: None, Terms(beat=60)):
        optuna.delete_study(study_name="few-digits", storage=store_at(database).storage)
        with (
            pytest.raises(LeaseLostError, match="has been deleted from its database"),
            engine_of(store.storage).begin() as connection,
        ):
            connection.execute(sqlalchemy.text("DELETE FROM trials"))


def test_the_lease_is_checked_once_a_transaction(database: str) -> None:
    store, heard = store_at(database), list[str]()

    def hear(_: object, __: object, statement: str, *___: object) -> None:
        if current_thread() is main_thread():
            heard.append(statement)

    sqlalchemy.event.listen(engine_of(store.storage), "before_cursor_execute", hear)
    with hold_lease(store, "here", lambda _: None, SURE):
        heard.clear()
        added(store)
        assert sum(each.startswith("UPDATE study_system_attributes") for each in heard) == 1
        assert sum(each.startswith("INSERT INTO trial") for each in heard) > 1


def test_a_folder_has_an_id_that_stays_and_its_copy_another(tmp_path: Path) -> None:
    first = folder_id(tmp_path / "folder.id")
    assert folder_id(tmp_path / "folder.id") == first
    (tmp_path / "copy.id").write_bytes((tmp_path / "folder.id").read_bytes())
    assert folder_id(tmp_path / "copy.id") != first


def test_a_study_whose_question_is_not_written_yet_is_begun_by_the_first(database: str) -> None:
    """As after a kill, or while another machine is about to write it."""
    optuna.create_study(
        storage=store_at(database).storage,
        study_name="other",
        directions=["maximize", "minimize"],
    )

    def begin(number: int) -> str:
        try:
            create_store(database, "other", AIMS, f"question {number}")
        except StudyError as error:
            return str(error)
        return f"question {number}"

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(begin, range(4)))
    assert sum("holds another study 'other'" in each for each in answers) == 3
    (first,) = (each for each in answers if each.startswith("question"))
    store = create_store(database, "other", AIMS, first)
    attributes = store.storage.get_study_user_attrs(store.study_id)
    assert json.dumps(first) == json.dumps(attributes["neptune:question"])


def finish_what_another_has_finished(store: Store, other: Store) -> None:
    with hold_lease(store, "here", lambda _: None, Terms(beat=60)) as is_held:
        trial = replace(added(store), state=State.PRUNED)
        leave(other, DEAD)
        other.finish(trial, None)
        assert not is_held()
        WRITES["add_score"](store, trial)


def test_a_trial_that_the_other_has_finished_is_no_other_error(database: str) -> None:
    with pytest.raises(LeaseLostError, match="taken over by process 7 on far"):
        finish_what_another_has_finished(store_at(database), store_at(database))


def fail_inside(store: Store) -> None:
    with hold_lease(store, "here", lambda _: None, SURE) as is_held:
        assert is_held()
        raise ZeroDivisionError("my own")


def test_an_error_of_ones_own_is_raised_as_it_is(database: str) -> None:
    with pytest.raises(ZeroDivisionError, match="my own"):
        fail_inside(store_at(database))

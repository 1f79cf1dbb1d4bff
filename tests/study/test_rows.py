"""Trials read by plain queries are those that Optuna loads itself."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from neptune_nas.architecture.codec import from_json, key
from neptune_nas.errors import StudyError
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.registry import COSTS
from neptune_nas.metrics.score import Score, score_from_json
from neptune_nas.samplers.sampler import distribution
from neptune_nas.study.database import engine_of
from neptune_nas.study.database_url import sqlite_url
from neptune_nas.study.rows import TrialRow, read_rows
from neptune_nas.study.store import Store, create_store
from neptune_nas.study.trial import State, Trial
from tests.postgres import new_database
from tests.study.builders import AIMS, SPACE, frozen_in, store_in

GOOD = {"accuracy": 0.5, "loss": 1.0}
STATES = {
    TrialState.RUNNING: State.RUNNING,
    TrialState.WAITING: State.RUNNING,
    TrialState.COMPLETE: State.FINISHED,
    TrialState.PRUNED: State.PRUNED,
    TrialState.FAIL: State.FAILED,
}
MANY = 1_100  # more than two batches


def add(store: Store, seed: int, **changes: Any) -> Trial:
    architecture = SPACE.sample(Random(seed))
    picks = SPACE.picks(architecture)
    kinds = {d.path: distribution(d) for d in SPACE.decisions if d.path in picks}
    values = {**Cost(10 + seed, 20, 30).values, "latency": 1.5}
    trial = replace(Trial(-1, architecture, key(architecture), values, picks), **changes)
    return store.add(trial, kinds, {"generation": {"n": seed}})


def score(store: Store, trial: Trial, *scores: Score) -> Trial:
    for i in range(len(scores)):
        trial = replace(trial, scores=scores[: i + 1])
        store.add_score(trial, is_last=False)
    return trial


def end(store: Store, trial: Trial, state: State, values: tuple[float, ...] | None = None) -> None:
    store.finish(replace(trial, state=state), values)


def filled(store: Store) -> Store:
    """Write trials of all kinds, among them some that no search of ours began."""
    add(store, 0)
    score(store, add(store, 1), Score(1, GOOD))
    end(store, score(store, add(store, 2), Score(1, GOOD, seed=3)), State.PRUNED)
    three = score(store, add(store, 3, given=True), Score(1, GOOD), Score(3, GOOD, worker=1))
    end(store, three, State.FINISHED, (0.5, 20.0))
    failed = Score(1, failure="loss is not finite", trace="in line 3")
    end(store, score(store, add(store, 4), failed), State.FAILED)
    score(
        store,
        add(store, 5),
        Score(0, proxy=2.5),
        Score(1, {"accuracy": 0.25, "loss": float("inf")}),
    )
    study = optuna.load_study(study_name="few-digits", storage=store.storage)
    study.enqueue_trial({"stages.depth": 1})
    study.ask()
    study.enqueue_trial({"stages.depth": 2})
    add(store, 6)
    return store


def as_optuna_says(frozen: FrozenTrial) -> Trial:
    attributes = frozen.user_attrs
    scores = tuple(map(score_from_json, attributes["scores"]))
    return Trial(
        number=frozen.number,
        architecture=from_json(attributes["architecture"]),
        key=attributes["key"],
        values={each.name: attributes[each.name] for each in COSTS if each.name in attributes},
        picks=frozen.params,
        scores=scores,
        state=STATES[frozen.state],
        failure=next((s.failure for s in reversed(scores) if s.failure), None),
        given=attributes.get("given", False),
        trace=attributes.get("trace"),
    )


def rows_in(store: Store) -> list[TrialRow]:
    with engine_of(store.storage).connect() as connection:
        return list(read_rows(connection, store.study_id))


def check_equal(store: Store) -> None:
    """Compare every field of every trial, and the order of its picks."""
    rows, trials = rows_in(store), frozen_in(store)
    assert [(r.id, r.number, r.state) for r in rows] == [
        (t._trial_id, t.number, t.state) for t in trials
    ]
    for row, frozen in zip(rows, trials, strict=True):
        assert [*row.picks.items()] == [*frozen.params.items()]
        assert row.distributions == frozen.distributions
        assert {n: json.loads(v) for n, v in row.attributes.items()} == frozen.user_attrs
        assert {n: json.loads(v) for n, v in row.system_attributes.items()} == frozen.system_attrs


def test_rows_are_what_optuna_loads(tmp_path: Path) -> None:
    check_equal(filled(store_in(tmp_path)))


def test_trials_of_all_kinds_are_what_optuna_loads(tmp_path: Path) -> None:
    store = filled(store_in(tmp_path))
    frozen = [t for t in frozen_in(store) if "key" in t.user_attrs]
    assert {t.state for t in frozen_in(store)} == {*TrialState}
    assert store.trials() == tuple(map(as_optuna_says, frozen))
    assert [t.trace for t in store.trials()] == [t.user_attrs.get("trace") for t in frozen]


def test_what_a_sampler_recorded_is_what_optuna_loads(tmp_path: Path) -> None:
    store = filled(store_in(tmp_path))
    frozen = [t for t in frozen_in(store) if "key" in t.user_attrs]
    records = store.sampler_records()
    assert [trial for trial, _ in records] == [*store.trials()]
    assert [record.distributions for _, record in records] == [t.distributions for t in frozen]
    assert [record.system_attrs for _, record in records] == [t.system_attrs for t in frozen]


def test_studies_that_share_a_database_are_told_apart(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "study.db")
    stores = [create_store(url, name, AIMS, "a question") for name in ("one", "two")]
    for seed in range(6):
        add(stores[seed % 2], seed)
    for store in stores:
        check_equal(store)
        assert [trial.number for trial in store.trials()] == [0, 1, 2]


def test_a_study_larger_than_a_batch_is_read_whole(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    study = optuna.load_study(study_name="few-digits", storage=store.storage)
    kinds = {
        "norm": CategoricalDistribution(("batch", None, 1.5, True)),
        "width": IntDistribution(8, 64, step=8),
        "rate": FloatDistribution(1e-3, 1.0, log=True),
    }
    study.add_trials(
        create_trial(
            state=TrialState.RUNNING
            if i % 9
            else TrialState.COMPLETE,  # few: Optuna takes longer for them
            values=None if i % 9 else (i / MANY, i),
            params={"norm": kinds["norm"].choices[i % 4], "width": 8 + 8 * (i % 8), "rate": 0.5},  # type: ignore[attr-defined]  # a categorical one
            distributions=dict(kinds),
            user_attrs={"i": i},
        )
        for i in range(MANY)
    )
    check_equal(store)


def test_equal_parts_are_shared(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for _ in range(2):
        add(store, 0)
    one, other = store.trials()
    assert one.architecture == other.architecture
    assert one.architecture.stages[0] is other.architecture.stages[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("scores", '[{"fidelity": 1, "values": {"accuracy": 5}}]', r"`scores.0.values.accuracy`"),
        ("scores", '[{"fidelity": -1, "values": {}}]', r"`scores.0.fidelity`"),
        ("scores", "{", "`scores`.* not valid JSON"),
        ("key", "7", "`key` must be 16 hex digits, but got 7"),
        ("key", '"0123456789abcdef"', "`key` is not that of its architecture"),
        ("flops", '"many"', "`costs.flops`"),
        ("given", "1", "`given`"),
        ("architecture", "null", "`architecture` must be an object"),
        ("architecture", '{"type": "Stem", "width": 16.0, "kernel": 3, "stride": 1}', "width"),
    ],
)
def test_a_value_that_breaks_its_rule_is_named(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    store = store_in(tmp_path)
    add(store, 0)
    add(store, 1)
    attributes = sqlalchemy.table(
        "trial_user_attributes", *map(sqlalchemy.column, ("trial_id", "key", "value_json"))
    )
    wrong = attributes.update().where(attributes.c.trial_id == 2, attributes.c.key == name)
    with engine_of(store.storage).begin() as connection:
        if not connection.execute(wrong.values(value_json=text)).rowcount:
            connection.execute(attributes.insert().values(trial_id=2, key=name, value_json=text))
    says = f"^the study's database is damaged or was changed by hand: trial 1: .*{message}"
    with pytest.raises(StudyError, match=says):
        store.trials()


@pytest.mark.parametrize("trial_id", [1, 3, 5])
def test_an_orphan_of_another_study_is_left_out(tmp_path: Path, trial_id: int) -> None:
    url = sqlite_url(tmp_path / "study.db")
    one, two = (create_store(url, name, AIMS, "a question") for name in ("one", "two"))
    for seed in range(6):
        add((two, one)[seed % 2], seed)
    with engine_of(one.storage).begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM trials WHERE trial_id = {trial_id}")
    assert [trial.number for trial in one.trials()] == [0, 1, 2]
    with pytest.raises(StudyError, match=r"trial \d is missing|with the id 5 have no trial"):
        two.trials()


@pytest.mark.xdist_group("postgres")
def test_a_server_is_not_asked_for_orphans(postgres: str) -> None:
    store, statements = (
        create_store(new_database(postgres), "few-digits", AIMS, "a question"),
        list[str](),
    )
    trial, engine = add(store, 0), engine_of(store.storage)
    sqlalchemy.event.listen(
        engine, "before_cursor_execute", lambda *event: statements.append(event[2])
    )
    assert store.trials() == (trial,)
    assert statements
    assert not [statement for statement in statements if "NOT IN" in statement]

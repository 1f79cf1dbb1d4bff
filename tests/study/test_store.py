from dataclasses import replace
from pathlib import Path
from random import Random

import optuna
import pytest

from neptune_nas.architecture.codec import key
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import StudyError
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.score import Score
from neptune_nas.samplers.sampler import distribution
from neptune_nas.study.database_url import sqlite_url
from neptune_nas.study.objectives import Direction
from neptune_nas.study.store import (
    Store,
    check_store,
    create_store,
    numerics_at,
    open_store,
)
from neptune_nas.study.trial import State, Trial
from tests.study.builders import AIMS, SPACE, frozen_in, store_in


def added(store: Store, seed: int = 0) -> Trial:
    architecture = SPACE.sample(Random(seed))
    picks = SPACE.picks(architecture)
    kinds = {d.path: distribution(d) for d in SPACE.decisions if d.path in picks}
    trial = Trial(
        -1, architecture, key(architecture), {**Cost(10, 20, 30).values, "latency": 1.5}, picks
    )
    return store.add(trial, kinds, {})


def test_a_trial_is_read_as_it_was_added(tmp_path: Path) -> None:
    trial = added(store_in(tmp_path))
    assert store_in(tmp_path).trials() == (trial,)


def test_trials_are_numbered_from_zero(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    assert [added(store, seed).number for seed in range(3)] == [0, 1, 2]


def test_a_finished_trial_has_its_values_and_scores(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    trial = replace(
        added(store), scores=(Score(3, {"accuracy": 0.5, "loss": 1.0}),), state=State.FINISHED
    )
    store.add_score(trial, is_last=True)
    store.finish(trial, (0.5, 20.0))
    assert store_in(tmp_path).trials() == (trial,)
    assert frozen_in(store_in(tmp_path))[0].values == [0.5, 20.0]


def test_a_trial_that_an_exception_ended_keeps_its_traceback(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    failed = Score(3, failure="odd", trace="in line 3")
    store.add_score(replace(added(store), scores=(failed,)), is_last=True)
    trial = store_in(tmp_path).trials()[0]
    assert (trial.failure, trial.trace) == ("odd", "in line 3")
    assert "trace" not in frozen_in(store)[0].user_attrs["scores"][0]


def test_optuna_reads_the_study_with_paths_as_parameters(tmp_path: Path) -> None:
    trial = added(store_in(tmp_path))
    study = optuna.load_study(study_name="few-digits", storage=sqlite_url(tmp_path / "study.db"))
    assert study.trials[0].params == trial.picks
    assert "stages.0.width" in trial.picks
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]


def test_counts_are_kept(tmp_path: Path) -> None:
    store_in(tmp_path).set_counts({"duplicates": 3})
    assert store_in(tmp_path).counts() == {"duplicates": 3}


def test_the_precision_and_layout_that_were_first_are_kept(tmp_path: Path) -> None:
    for each in (None, Numerics("bf16", "contiguous"), Numerics("fp32")):
        store_in(tmp_path).keep_numerics(each)
    url = sqlite_url(tmp_path / "study.db")
    assert numerics_at(url, "few-digits", tmp_path) == Numerics("bf16", "contiguous")


def test_another_study_of_the_same_name_is_refused(tmp_path: Path) -> None:
    store_in(tmp_path)
    url = sqlite_url(tmp_path / "study.db")
    with pytest.raises(StudyError, match="holds another study 'few-digits'"):
        create_store(url, "few-digits", AIMS, "another question")


def created(folder: Path, *directions: Direction) -> str:
    """Return the URL of a database with a study that Optuna has just made."""
    url = sqlite_url(folder / "study.db")
    optuna.create_study(storage=url, study_name="few-digits", directions=directions)
    return url


def test_a_study_that_was_killed_before_its_question_was_written_is_begun(tmp_path: Path) -> None:
    url = created(tmp_path, "maximize", "minimize")
    check_store(url, "few-digits", "a question", tmp_path)
    assert numerics_at(url, "few-digits", tmp_path) is None
    added(store_in(tmp_path))
    assert len(store_in(tmp_path).trials()) == 1
    with pytest.raises(StudyError, match="holds another study 'few-digits'"):
        create_store(url, "few-digits", AIMS, "another question")


def test_an_empty_study_of_other_objectives_is_refused(tmp_path: Path) -> None:
    created(tmp_path, "minimize")
    with pytest.raises(StudyError, match="holds another study 'few-digits'"):
        store_in(tmp_path)


def test_a_study_of_optunas_own_with_trials_is_refused(tmp_path: Path) -> None:
    url = created(tmp_path, "maximize", "minimize")
    optuna.load_study(study_name="few-digits", storage=url).ask()
    for use in (lambda: store_in(tmp_path), lambda: check_store(url, "few-digits", "?", tmp_path)):
        with pytest.raises(StudyError, match="holds another study 'few-digits'"):
            use()


def test_a_database_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"study\.db is missing"):
        open_store(sqlite_url(tmp_path / "study.db"), "few-digits")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_a_url_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"must not have a \?"):
        sqlite_url(tmp_path / "what?" / "study.db")


def test_a_study_that_is_not_there_is_named(tmp_path: Path) -> None:
    store_in(tmp_path)
    with pytest.raises(StudyError, match="holds no study 'other'"):
        open_store(sqlite_url(tmp_path / "study.db"), "other")


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("not a database, but long enough to look like one" * 50)
    with pytest.raises(StudyError, match=r"study\.db cannot be opened"):
        store_in(tmp_path)

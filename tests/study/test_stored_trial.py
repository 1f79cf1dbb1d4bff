"""Databases that are damaged, or anybody's, end in a sentence or in what they say."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from neptune_nas.errors import NeptuneError, StudyError
from neptune_nas.report.outputs import write_outputs
from neptune_nas.search.run import run_search
from neptune_nas.study.folder import Folder
from neptune_nas.study.read import read_study
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from tests.study.builders import few_search
from tests.study.fakes import InlineAssembly, InlineEngine, OnBench
from tests.study.mutations import mutate_database

CASES = 60


def ignore(_: object) -> None:
    """Take anything."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    search = few_search(tmp_path_factory.mktemp("begun"), 8)
    make = lambda: InlineEngine(OnBench())  # noqa: E731  # as short as it is
    return run_search(InlineAssembly(search, make), ignore, ignore).folder


@pytest.fixture
def study(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / begun.name))


def checked(trials: tuple[Trial, ...]) -> None:
    """Check that no value of a trial is out of the range that it must have."""
    for trial in trials:
        assert len(trial.key) == 16
        assert all(0 <= value < 2**63 for value in trial.values.values())
        for score in trial.scores:
            assert score.fidelity == 1
            assert all(0 <= time < 1e11 for time in (score.seconds, score.started))
            assert not score.ok or 0 <= score.values["accuracy"] <= 1


@pytest.mark.parametrize("seed", range(CASES))
def test_a_changed_database_is_refused_in_a_sentence_or_read_right(study: Path, seed: int) -> None:
    mutate_database(study / "study.db", Random(seed))
    found, said = outcome(study)
    assert "\n" not in said
    assert len(said) < 1000 + len(str(study))
    if found is not None:
        checked(found.trials)
        if seed % 4 == 0:
            write_outputs(found)


def outcome(study: Path) -> tuple[Study | None, str]:
    """Return what is read, or else the sentence that it ends in."""
    try:
        return read_study(study, allow=()), ""
    except NeptuneError as error:
        return None, str(error)


def attributes(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the attributes of trial 2."""
    connection = sqlite3.connect(file)
    rows = connection.execute(
        "SELECT key, value_json FROM trial_user_attributes WHERE trial_id = 3"
    )
    content = {key: json.loads(text) for key, text in rows}
    change(content)
    connection.execute("DELETE FROM trial_user_attributes WHERE trial_id = 3")
    insert = "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (3, ?, ?)"
    connection.executemany(insert, [(key, json.dumps(value)) for key, value in content.items()])
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a["scores"][0]["values"].update(accuracy=5), r"accuracy` must be .* in 0\.\.1"),
        (lambda a: a["scores"][0]["values"].update(accuracy=-0.1), r"accuracy` must be .* 0\.\.1"),
        (lambda a: a["scores"][0]["values"].update(accuracy="x"), "accuracy` must be a finite"),
        (
            lambda a: a["scores"][0]["values"].pop("accuracy"),
            "`values` must be a mapping that begins with accuracy",
        ),
        (
            lambda a: a["scores"][0]["values"].update(f1=0.5),
            "a mapping of only accuracy, loss",
        ),
        (
            lambda a: a["scores"][0].update(values={"loss": 1.0, "accuracy": 0.5}),
            "`values` must be a mapping that begins with accuracy",
        ),
        (lambda a: a["scores"][0].update(seconds=-3), r"seconds` must be .* at least 0"),
        (lambda a: a["scores"][0].update(started=1e300), r"started` must be .* below"),
        (lambda a: a["scores"][0].update(fidelity=7), "`fidelity` must be one of 1, but got 7"),
        (lambda a: a["scores"][0].update(proxy=3.0), "no proxy was measured there"),
        (lambda a: a["scores"][0].update(peak_memory=10**400), "must be a number below"),
        (lambda a: a["scores"][0].update(other=1), "`scores.0.other` is unknown"),
        (lambda a: a["scores"].clear(), "is finished, which its scores contradict"),
        (
            lambda a: a.update(scores={}),
            "`scores` must be a list, but got {}",
        ),
        (lambda a: a.update(flops=a["flops"] + 2), r"`costs\.flops` must be \d+, but got \d+"),
        (lambda a: a.update(macs=2**70, flops=2**71), "must be a number below"),
        (lambda a: (a.pop("macs"), a.pop("flops")), r"`costs\.flops` is missing"),
        (lambda a: a.update(params=-1), r"`costs\.params` must be a whole number of at least 0"),
        (lambda a: a.update(key="x"), "`key` must be 16 hex digits, but got 'x'"),
        (lambda a: a.pop("key"), "`key` is missing"),
        (lambda a: a.update(given=1), "`given` must be true or false"),
        (lambda a: a.update(trace=[]), "`trace` must be a str"),
        (lambda a: a.update(other=[]), "`other` is unknown"),
        (lambda a: a["architecture"].update(type="Other"), "is not a record"),
    ],
)
def test_attributes_that_no_search_writes_are_named(
    study: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    attributes(study / "study.db", change)
    with pytest.raises(StudyError, match=rf"is damaged or was changed by hand: trial 2.*{says}"):
        read_study(study, allow=())


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("UPDATE trials SET state = 'FOO' WHERE number = 2", "KeyError: 'FOO'"),
        (
            "UPDATE trials SET state = 'FAIL' WHERE number = 2",
            "trial 2 is failed, which its scores",
        ),
        ("UPDATE trials SET state = 'PRUNED' WHERE number = 2", "trial 2 is pruned, which"),
        ("UPDATE trials SET number = 1 WHERE number = 2", "trial 2 is missing"),
        ("UPDATE trials SET number = 'x' WHERE number = 2", "is damaged"),
        ("UPDATE trials SET number = NULL WHERE number = 2", "is damaged"),
        ("UPDATE trial_params SET param_value = 1e300", "is damaged"),
        ("UPDATE trial_params SET distribution_json = '{}'", "is damaged"),
        (
            "UPDATE trial_params SET param_value = 0, distribution_json = "
            '\'{"name": "CategoricalDistribution", "attributes": {"choices": [[], 1]}}\'',
            "is damaged .*Choices for a categorical distribution",
        ),
        ("UPDATE trial_user_attributes SET value_json = '[' WHERE key = 'scores'", "is damaged"),
        (
            'UPDATE study_user_attributes SET value_json = \'{"duplicates": "x"}\' '
            "WHERE key = 'neptune:counts'",
            "neptune:counts` must be a dict of finite numbers of at least 0",
        ),
        ("DELETE FROM trials WHERE number = 2", "trial 2 is missing"),
        ("DROP TABLE trial_params", "no such table: trial_params"),
        (
            "UPDATE trials SET trial_id = 65537 WHERE number = 2",
            "trial 2 is COMPLETE, but has no attributes",
        ),
        (
            "UPDATE trials SET trial_id = 65537, state = 'FAIL' WHERE number = 2",
            "trial 2 is FAIL, but has no attributes",
        ),
        (
            "UPDATE trials SET trial_id = 65537, state = 'RUNNING' WHERE number = 2",
            "the attributes of a trial with the id 3 have no trial",
        ),
        ("DELETE FROM trials WHERE number = 7", "with the id 8 have no trial"),
        (
            "UPDATE trial_user_attributes SET trial_id = NULL WHERE trial_id = 3",
            "trial 2 is COMPLETE, but has no attributes",
        ),
    ],
)
def test_rows_that_no_search_writes_are_refused(study: Path, script: str, says: str) -> None:
    connection = sqlite3.connect(study / "study.db")
    connection.executescript(script)
    connection.close()
    with pytest.raises(StudyError, match=says) as refused:
        read_study(study, allow=())
    assert "\n" not in str(refused.value)


def test_a_trial_of_another_programs_is_left_out(study: Path) -> None:
    connection = sqlite3.connect(study / "study.db")
    connection.execute("INSERT INTO trials (number, study_id, state) VALUES (8, 1, 'RUNNING')")
    connection.commit()
    connection.close()
    assert len(read_study(study, allow=()).trials) == 8
    assert Folder(study).exists

from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.cli.console import stoppable
from neptune_nas.cli.measuring import is_measured
from neptune_nas.cli.study import is_scored
from neptune_nas.study.confirmation import Aim, Goal, write_confirmations
from neptune_nas.study.folder import Folder
from tests.study.builders import make_trial


@pytest.mark.parametrize(
    ("is_any", "said"),
    [
        (True, "Stopped; results so far are in here. The same command resumes.\n"),
        (False, "Stopped before anything was scored. The same command resumes.\n"),
    ],
)
def test_only_what_is_there_is_said_to_be(
    is_any: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(KeyboardInterrupt, match=r"^$"),
        stoppable("scored", Path("here"), lambda: is_any),
    ):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == said


def test_a_study_with_a_score_is_scored_and_a_folder_without_is_not(
    finished: Path, tmp_path: Path
) -> None:
    assert is_scored(finished, None)
    assert not is_scored(tmp_path, None)


def test_a_study_is_measured_once_something_lies_beside_it(tmp_path: Path) -> None:
    assert not is_measured(tmp_path)
    (tmp_path / "audit.json").touch()
    assert is_measured(tmp_path)


def test_a_confirmation_has_measured_once_a_score_is_there(tmp_path: Path) -> None:
    file, trial = Folder(tmp_path).confirmations, make_trial(0, 0.5, 100)
    write_confirmations(file, [trial], Aim(Goal()))
    assert not is_measured(tmp_path)
    write_confirmations(file, [replace(trial, confirmations=trial.scores)], Aim(Goal()))
    assert is_measured(tmp_path)

from pathlib import Path

import pytest

from neptune_nas.cli.measuring import is_measured
from neptune_nas.cli.search import is_scored
from neptune_nas.cli.stopped import stoppable


@pytest.mark.parametrize(
    ("is_any", "said"),
    [
        (True, "Stopped. What was scored is in here; the same command goes on.\n"),
        (False, "Stopped before anything was scored; the same command goes on.\n"),
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

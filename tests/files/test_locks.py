import subprocess
import sys
from pathlib import Path

import pytest

from neptune_nas.errors import StudyError
from neptune_nas.files.locks import check_writable, is_locked, locked

KILLED = (
    "import os, sys; from pathlib import Path; from neptune_nas.files.locks import locked\n"
    "with locked(Path(sys.argv[1]), 'busy'): os.kill(os.getpid(), 9)"
)


def test_only_one_is_inside(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "x.lock", "busy"),
        pytest.raises(StudyError, match=r"^the folder is busy$"),
        locked(tmp_path / "x.lock", "the folder is busy"),
    ):
        pass


def test_the_next_may_enter_after_the_last_has_left(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "new" / "x.lock", "busy"):
            assert (tmp_path / "new").is_dir()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    assert subprocess.run([sys.executable, "-c", KILLED, file], check=False).returncode == -9
    with locked(file, "busy"):
        assert file.exists()


def test_whether_one_is_inside_is_told_from_outside(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    assert is_locked(file) is False
    assert not file.exists()
    with locked(file, "busy"):
        assert is_locked(file)
    assert is_locked(file) is False


def test_of_a_lock_that_cannot_be_looked_at_nothing_is_known(tmp_path: Path) -> None:
    assert is_locked(tmp_path) is None


def test_a_folder_that_cannot_be_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(
            StudyError, match=r"file cannot be written .* fix that, or choose another folder"
        ),
        locked(tmp_path / "file" / "x.lock", "busy"),
    ):
        pass


def test_a_folder_that_can_be_made_is_not_made_yet(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []


def test_what_can_be_no_folder_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match=r"cannot be written \(.*file is not a folder\): fix that"):
        check_writable(tmp_path / "file" / "new")


@pytest.mark.parametrize("target", ["victim", "nowhere", "x.lock"])
def test_a_link_is_no_lock(tmp_path: Path, target: str) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "x.lock").symlink_to(tmp_path / target)
    assert is_locked(tmp_path / "x.lock") is False
    with (
        pytest.raises(StudyError, match=r"x\.lock must be a lock file, but is a link: remove"),
        locked(tmp_path / "x.lock", "busy"),
    ):
        pass
    assert (tmp_path / "victim").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["victim", "x.lock"]

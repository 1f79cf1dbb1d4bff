import pwd
from pathlib import Path

import pytest

from neptune_nas.files.cache import cache_folder, data_folder


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME")
    return tmp_path


def test_it_lies_in_the_users_home(home: Path) -> None:
    assert cache_folder() == home / ".cache" / "neptune-nas"


def test_the_system_may_name_another_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "x"))
    assert cache_folder() == home / "x" / "neptune-nas"


@pytest.mark.parametrize("place", ["", "x", "~/x"])
def test_a_place_that_is_no_absolute_path_does_not_count(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert cache_folder() == home / ".cache" / "neptune-nas"


def test_a_user_without_a_home_has_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert cache_folder() is None
    monkeypatch.delenv("XDG_DATA_HOME")
    assert data_folder() is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    assert cache_folder() == home / "neptune-nas"


def test_what_cannot_be_made_again_lies_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    assert data_folder() == home / ".local" / "share" / "neptune-nas"
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "x"))
    assert data_folder() == home / "x" / "neptune-nas"

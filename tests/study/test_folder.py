from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import FileFormatError, StudyError
from neptune_nas.study.folder import (
    Folder,
    open_folder,
    read_settings,
    record_from,
    write_settings,
)
from neptune_nas.study.settings import Settings
from neptune_nas.training.recipe import Recipe
from tests.study.builders import question, settings


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    asked = question(constraints=("flops<=1M",), rungs=(1, 3), sampler_kwargs={"start": 5})
    written = settings(asked)
    write_settings(Folder(tmp_path), written)
    assert read_settings(tmp_path / "study.toml") == written


@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_any_name_survives_toml(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = Folder(tmp_path_factory.mktemp("study"))
    written = replace(settings(question()), name=name)
    write_settings(folder, written)
    assert read_settings(folder.settings) == written


def test_a_study_can_be_locked_again_after_it_was_released(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "study")
    with folder.locked():
        pass
    with folder.locked():
        assert folder.path.is_dir()


def test_a_study_is_locked_by_one_at_a_time(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "study")
    with folder.locked(), pytest.raises(StudyError, match="another process"), folder.locked():
        raise AssertionError("locked twice")


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"has no study\.toml"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"lr": "fast"}, "`lr` must be"),
        ({"shoe": 1}, "`shoe` is unknown"),
        ({"optimizer": "sdg"}, "`optimizer` must be"),
        ({"lr": -1.0}, "must be a number in"),
    ],
)
def test_a_record_that_is_not_one_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFormatError, match=f"recipe: .*{message}"):
        record_from(Recipe, content, "recipe")


def test_a_missing_field_is_named() -> None:
    with pytest.raises(FileFormatError, match=r"missing .*'trials'"):
        record_from(Settings, {"name": "x"}, "study.toml")

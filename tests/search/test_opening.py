from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.errors import StudyError
from neptune_nas.search.opening import Opening
from neptune_nas.search.provenance import Asked, begin
from neptune_nas.study.database import sqlite_url
from neptune_nas.study.folder import Folder
from tests.study.builders import question, settings

BEGUN = settings(question())


def opening(path: Path, storage: str | None = None) -> Opening:
    return Opening(Folder(path), Asked("few-digits", 10, question()), storage)


def test_looking_at_the_places_of_a_new_study_makes_neither(tmp_path: Path) -> None:
    new = opening(tmp_path / "new")
    new.check_places(new.settle(BEGUN.facts))
    assert list(tmp_path.iterdir()) == []


def test_a_study_is_opened_where_it_was_begun(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "elsewhere.db")
    opening(tmp_path / "study", url).open_store(BEGUN, ())
    with pytest.raises(StudyError, match="holds another study 'few-digits'"):
        opening(tmp_path / "other", url).check_places(settings(question(seed=1)))
    again = opening(tmp_path / "study").open_store(replace(BEGUN, storage=url), ())
    assert again.trials() == ()
    assert not (tmp_path / "study" / "study.db").exists()


def test_a_study_whose_database_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    begin(Folder(tmp_path), BEGUN)
    for use in (opening(tmp_path).check_places, lambda s: opening(tmp_path).open_store(s, ())):
        with pytest.raises(StudyError, match=r"study\.db is missing"):
            use(BEGUN)

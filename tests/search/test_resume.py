from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.errors import DataError, StudyError
from neptune_nas.search.config import Search
from neptune_nas.search.resume import arguments_in, check_same, search_of, study_of
from neptune_nas.space import find_space
from neptune_nas.study.folder import open_folder, read_settings
from neptune_nas.study.own_code import register
from neptune_nas.trust.audit import run_audit
from neptune_nas.trust.baselines import run_baselines
from tests.study.edits import edit_study
from tests.study.fakes import Arithmetic


def asked(out: Path) -> Search:
    limits = ("flops<=10M",)
    return Search(space="tiny", trials=1, rungs=(1,), constraints=limits, jobs=1, out=out)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished study."""
    return asked(tmp_path_factory.mktemp("studies")).run().folder


def test_a_study_asks_its_own_question_again(made: Path) -> None:
    again, first = search_of(made), asked(made.parent)
    assert again.question == first.question
    assert again.folder == first.folder


def test_a_study_of_an_own_evaluator_without_it_is_refused(tmp_path: Path) -> None:
    folder = (
        Search(space="tiny", trials=1, evaluator=Arithmetic(), jobs=1, out=tmp_path).run().folder
    )
    message = (
        r"`evaluator` is tests\.study\.fakes:Arithmetic, .* \(--evaluator\), with the arguments"
    )
    with pytest.raises(StudyError, match=message):
        arguments_in(folder / "study.toml")


def test_a_study_with_an_evaluator_is_audited_and_compared_where_that_is_given(
    tmp_path: Path,
) -> None:
    space = find_space("tiny")  # as an object, which no name in `study.toml` leads to
    first = Search(space=replace(space, name="own"), trials=6, evaluator=Arithmetic(), jobs=1)
    folder = replace(first, out=tmp_path).run().folder
    search = replace(search_of(folder, space=first.space, evaluator=Arithmetic()), jobs=1)
    assert run_audit(search, 4).audit is not None
    assert len(run_baselines(search, ("random",)).baselines["random"]) == 6


def test_another_evaluator_than_the_studys_is_refused(made: Path) -> None:
    with pytest.raises(StudyError, match=r"`evaluator` is training, but got \S*fakes:Arithmetic"):
        search_of(made, evaluator=Arithmetic())


def test_a_folder_of_an_impossible_name_is_refused(made: Path, tmp_path: Path) -> None:
    odd = copytree(made, tmp_path / "my study")
    with pytest.raises(StudyError, match="such as my-study: rename it"):
        search_of(odd)


def test_the_database_and_the_place_of_the_space_may_be_said_anew(made: Path) -> None:
    search = search_of(made, storage="sqlite:///there.db", space="search_spaces/tiny.py")
    assert search.storage == "sqlite:///there.db"
    assert search.found_space.fingerprint == search_of(made).found_space.fingerprint


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is not a study"):
        search_of(tmp_path)


def test_a_machine_that_only_the_study_names_is_not_connected_to(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder, host = copytree(made, tmp_path / made.name), "litert+ssh://pi@there"
    settings = folder / "study.toml"
    edit_study(folder, ('latency_on = "torch"', f'latency_on = "{host}"'))
    with pytest.raises(StudyError, match=r"`latency_on` is 'litert\+ssh://pi@there', a machine"):
        arguments_in(settings)
    with pytest.raises(StudyError, match="you have not measured on for this study here"):
        search_of(folder)
    assert arguments_in(settings, {"latency_on": host})["latency_on"] == host
    begun = read_settings(settings)
    register(open_folder(folder), begun, (host,))
    assert arguments_in(settings)["latency_on"] == host


def test_a_sampler_that_may_not_be_run_is_asked_for(made: Path, tmp_path: Path) -> None:
    folder = copytree(made, tmp_path / made.name)
    settings = folder / "study.toml"
    edit_study(folder, ('sampler = "auto"', 'sampler = "gone.py:Mine"'))
    with pytest.raises(StudyError, match=r"`sampler` is 'gone\.py:Mine', code .* \(--sampler\)"):
        arguments_in(settings)
    assert arguments_in(settings, {"sampler": "random"})["sampler"] == "random"
    search = search_of(folder)
    assert search.sampler == "auto"
    check_same(search, study_of(search))
    with pytest.raises(StudyError, match=r"was started with sampler 'gone\.py:Mine'"):
        search.run()


def test_data_that_only_a_study_names_is_not_downloaded(made: Path, tmp_path: Path) -> None:
    other = tmp_path / made.name
    copytree(made, other)
    edit_study(other, ('data = "digits"', 'data = "cifar10"'))
    with pytest.raises(
        DataError, match=r"study\.toml names, is not in .*pass `data` \(--data\) cif"
    ):
        search_of(other, data_dir=tmp_path)
    assert arguments_in(other / "study.toml", {"data": "cifar10"})["data"] == "cifar10"

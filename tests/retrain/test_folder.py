from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError, StudyError
from neptune_nas.retrain.folder import SeedFolder, TrainFolder, write_terms
from neptune_nas.retrain.metrics import load_metrics
from neptune_nas.retrain.terms import Terms
from neptune_nas.study.folder import read_toml
from tests.retrain.test_terms import TERMS

COMMITTED = sorted((Path(__file__).parents[2] / "studies").glob("*/trained/*/train.toml"))


@pytest.fixture
def folder(tmp_path: Path) -> TrainFolder:
    folder = TrainFolder(tmp_path / "x")
    write_terms(folder, TERMS)
    return folder


def test_the_same_terms_are_settled_again(folder: TrainFolder) -> None:
    write_terms(folder, TERMS)


def test_every_training_of_the_reference_studies_is_read() -> None:
    assert len(COMMITTED) >= 7
    for file in COMMITTED:
        assert read_toml(file, Terms) == load_metrics(file.with_name("metrics.json")).terms


def test_seeds_without_the_terms_they_were_trained_by_are_refused(folder: TrainFolder) -> None:
    folder.seed(0).path.mkdir()
    folder.terms.unlink()
    with pytest.raises(StudyError, match=r"x has seeds, but no train\.toml .*: put it back, or"):
        write_terms(folder, TERMS)


def test_other_terms_than_the_folder_was_begun_with_are_refused(folder: TrainFolder) -> None:
    with pytest.raises(StudyError, match="x was started with epochs 20, but now it is 30"):
        write_terms(folder, replace(TERMS, epochs=30))


def test_terms_that_were_changed_by_hand_are_refused(folder: TrainFolder) -> None:
    folder.terms.write_text(folder.terms.read_text().replace("epochs = 20", 'epochs = "many"'))
    with pytest.raises(FileFormatError, match=r"train\.toml: `epochs` must be a whole number"):
        write_terms(folder, TERMS)


def test_two_do_not_train_in_one_folder(folder: TrainFolder) -> None:
    with (
        folder.locked(),
        pytest.raises(StudyError, match="another process is training in"),
        folder.locked(),
    ):
        pass


def test_a_seed_is_trained_once_its_model_is_there_and_its_checkpoint_gone(tmp_path: Path) -> None:
    seed = SeedFolder(tmp_path)
    seed.checkpoint.touch()
    seed.model.touch()
    assert not seed.is_trained
    (tmp_path / ".checkpoint.pt.123").touch()
    seed.drop_checkpoint()
    assert SeedFolder(tmp_path).is_trained
    assert [*tmp_path.iterdir()] == [seed.model]

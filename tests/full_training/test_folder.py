from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.errors import FileFormatError, StudyError
from neptune_nas.full_training.folder import (
    SeedFolder,
    TrainFolder,
    read_history,
    settle,
    write_history,
)
from neptune_nas.full_training.metrics import Terms, load_metrics
from neptune_nas.study.folder import read_toml
from neptune_nas.training.state import Epoch

TERMS = Terms("resnet8", "digits", "0123456789abcdef", 20, {"lr": 0.01, "crop": 2}, ("0", "1"))
COMMITTED = sorted((Path(__file__).parents[2] / "studies").glob("*/trained/*/train.toml"))
ROW = "HEAD\n1,2.5,0.1,3.0,,,,\n"  # of an epoch that was not measured
HISTORY = (Epoch(1, 2.5, 0.1, 3.0), Epoch(2, 1 / 3, 0.0, 3.0, 0.5, 1e-9, 0.25, 2.0))


@pytest.fixture
def folder(tmp_path: Path) -> TrainFolder:
    folder = TrainFolder(tmp_path / "x")
    settle(folder, TERMS)
    return folder


def test_the_same_terms_are_settled_again(folder: TrainFolder) -> None:
    settle(folder, TERMS)


def test_the_same_images_by_another_name_are_the_same(folder: TrainFolder) -> None:
    settle(folder, replace(TERMS, data="folder:elsewhere"))


def test_what_a_file_of_an_older_version_does_not_say_is_no_difference(tmp_path: Path) -> None:
    folder = TrainFolder(tmp_path / "x")
    settle(folder, replace(TERMS, recipe={"lr": 0.01, "crop": "auto"}, classes=()))
    settle(folder, TERMS)


def test_every_training_of_the_reference_studies_is_read() -> None:
    assert len(COMMITTED) >= 7
    for file in COMMITTED:
        assert read_toml(file, Terms) == load_metrics(file.with_name("metrics.json")).terms


def test_seeds_without_the_terms_they_were_trained_by_are_refused(folder: TrainFolder) -> None:
    folder.seed(0).path.mkdir()
    folder.terms.unlink()
    with pytest.raises(StudyError, match=r"x has seeds, but no train\.toml .*: put it back, or"):
        settle(folder, TERMS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "resnet20"}, "network resnet8, but now it is resnet20"),
        ({"data_fingerprint": "ffff"}, r"data digits \(0123456789abcdef\), but now .* \(ffff\)"),
        ({"epochs": 30}, "epochs 20, but now it is 30"),
        ({"classes": ("a", "b")}, "classes 0, 1, but now it is a, b"),
        ({"recipe": {"lr": 0.01, "crop": 1}}, "the recipe's crop 2, but now it is 1"),
        ({"recipe": {"lr": 0.02, "crop": 2}}, "the recipe's lr 0.01, but now it is 0.02"),
        ({"epochs": 30, "recipe": {}}, "epochs 20, but now it is 30"),
    ],
)
def test_other_terms_are_refused_by_the_first_difference(
    folder: TrainFolder, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError, match=f"was begun with {message}: choose another"):
        settle(folder, replace(TERMS, **change))


def test_terms_that_were_changed_by_hand_are_refused(folder: TrainFolder) -> None:
    folder.terms.write_text(folder.terms.read_text().replace("epochs = 20", 'epochs = "many"'))
    with pytest.raises(FileFormatError, match=r"train\.toml: `epochs` must be a whole number"):
        settle(folder, TERMS)


def test_two_do_not_train_in_one_folder(folder: TrainFolder) -> None:
    with (
        folder.locked(),
        pytest.raises(StudyError, match="is being trained in by another process"),
        folder.locked(),
    ):
        pass


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", HISTORY)
    assert read_history(tmp_path / "history.csv") == HISTORY


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "HEAD\n1,x,0.1,3.0,,,,\n", "HEAD\n1,2\n", "HEAD\n", ROW]
)
def test_a_file_that_is_no_history_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "history.csv"
    write_history(file, ())
    file.write_text(text.replace("HEAD\n", file.read_text()))
    with pytest.raises(FileFormatError, match=r"history\.csv is no history of a training"):
        read_history(file)


def test_a_seed_is_trained_once_its_model_is_there_and_its_checkpoint_gone(tmp_path: Path) -> None:
    seed = SeedFolder(tmp_path)
    seed.checkpoint.touch()
    seed.model.touch()
    assert not seed.is_trained
    (tmp_path / ".checkpoint.pt.123").touch()
    seed.drop_checkpoint()
    assert SeedFolder(tmp_path).is_trained
    assert [*tmp_path.iterdir()] == [seed.model]

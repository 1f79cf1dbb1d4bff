"""What is read by another function or command is refused with that one's name."""

import re
from pathlib import Path

import pytest

from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.errors import FileFormatError
from neptune_nas.files.kinds import no_study
from neptune_nas.models.architecture_file import load, save, without_study
from neptune_nas.models.model import load_model, make_untrained, save_model

ITEM = without_study(Architecture(stages=(Stage(width=8),)), (1, 8, 8), 10)


def test_a_model_is_no_architecture_whatever_it_is_called(tmp_path: Path) -> None:
    for name in ("model.safetensors", "model.json"):
        save_model(tmp_path / name, make_untrained(ITEM))
        with pytest.raises(FileFormatError, match=rf"{name} is a trained model: `load_model` and"):
            load(tmp_path / name)


def test_an_architecture_is_no_model(tmp_path: Path) -> None:
    save(tmp_path / "best.json", ITEM)
    with pytest.raises(FileFormatError, match=r"best\.json is an architecture .*: `load` and"):
        load_model(tmp_path / "best.json")


def test_the_folder_of_a_study_is_neither(tmp_path: Path) -> None:
    (tmp_path / "study.toml").touch()
    command = re.escape(f"`neptune-nas export {tmp_path} -o best.json` writes")
    for read in (load, load_model):
        with pytest.raises(FileFormatError, match=f"is a study's folder, .*: {command}"):
            read(tmp_path)


def test_a_command_to_copy_takes_a_folder_with_spaces_in_its_name_as_one_word(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "a study"
    folder.mkdir()
    (folder / "study.toml").touch()
    with pytest.raises(FileFormatError, match=f"export '{folder}' -o best"):
        load(folder)


def test_the_folder_of_a_training_names_a_model(tmp_path: Path) -> None:
    model = tmp_path / "seed-0" / "model.safetensors"
    save_model(model, make_untrained(ITEM))
    for read in (load, load_model):
        with pytest.raises(FileFormatError, match=f"name a model in it, such as {model}"):
            read(tmp_path)


def test_any_other_folder_is_no_file(tmp_path: Path) -> None:
    for read in (load, load_model):
        with pytest.raises(FileFormatError, match=r"is a folder, but a file is needed"):
            read(tmp_path)


def test_a_folder_of_studies_is_no_study_but_names_them(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.toml").touch()
    assert no_study(tmp_path) == (
        f"{tmp_path} is a folder with 2 studies in it, not a study: name one of {tmp_path / 'a'}, "
        f"{tmp_path / 'b'}."
    )


def test_a_training_is_no_study_but_has_models(tmp_path: Path) -> None:
    (tmp_path / "train.toml").touch()
    said = no_study(tmp_path)
    assert "is a training, not a study: once it is done, its figures are in " in said
    assert f"such as {tmp_path / 'seed-0' / 'model.safetensors'}." in said


def test_what_is_no_folder_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file is a file, not a study:" in no_study(tmp_path / "file")
    assert "gone does not exist:" in no_study(tmp_path / "gone")


@pytest.mark.parametrize("name", ["gone.json", "gone.safetensors"])
def test_a_file_that_is_missing_is_said_to_be_missing(tmp_path: Path, name: str) -> None:
    for read in (load, load_model):
        with pytest.raises(FileFormatError, match=rf"{name} cannot be read: No such file"):
            read(tmp_path / name)

"""What a training is asked: its source, its data, its recipe."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from neptune_nas.architecture.records import Architecture
from neptune_nas.errors import DataError, OptionError, StudyError
from neptune_nas.models.architecture_file import ExportedArchitecture, without_study
from neptune_nas.retrain.run import Training
from neptune_nas.training.recipe import Recipe, default_recipe, strong_recipe
from tests.retrain.builders import NETWORK, asked


def test_an_architecture_is_trained_on_other_images_than_it_was_searched_on() -> None:
    training = asked(Path("x"), source=without_study(Architecture(), (3, 32, 32), 100))
    assert isinstance(training.network, ExportedArchitecture)
    assert (training.network.input_shape, training.network.classes) == ((1, 8, 8), 10)
    assert training.network.costs == without_study(Architecture(), (1, 8, 8), 10).costs


def test_data_and_recipe_are_those_of_the_search_unless_given() -> None:
    item = replace(NETWORK, recipe={"lr": 0.02}, provenance={"data": "digits#50"})
    training = Training(item)
    assert training.data_name == "digits#50"
    assert training.used_recipe == Recipe(lr=0.02)
    assert replace(training, recipe=Recipe(lr=0.1)).used_recipe == Recipe(lr=0.1)
    plain = replace(training, source="resnet8", data="digits")
    assert plain.used_recipe == strong_recipe(default_recipe(len(plain.images.train)))


def test_scores_of_the_default_recipe_lead_to_the_strong_one_with_their_batches() -> None:
    scored = Recipe(batch_size=32, crop=1, flip=False)
    item = replace(NETWORK, recipe=asdict(scored), provenance={"data": "digits#50"})
    found = Training(item).used_recipe
    assert found == strong_recipe(scored)
    assert (found.batch_size, found.crop, found.flip) == (32, 1, False)


def test_a_teachers_share_is_no_reason_for_another_recipe_and_stays() -> None:
    scored = Recipe(batch_size=32, teacher_weight=0.5, temperature=2.0)
    item = replace(NETWORK, recipe=asdict(scored), provenance={"data": "digits#50"})
    found = Training(item).used_recipe
    assert (found.optimizer, found.teacher_weight, found.temperature) == ("muon", 0.5, 2.0)


@pytest.mark.parametrize(
    ("provenance", "name"),
    [
        ({"study": "tiny-digits", "trial": 7}, "tiny-digits-trial-7-pictures-500"),
        ({}, f"{NETWORK.key}-pictures-500"),
    ],
)
def test_a_folder_is_named_by_network_and_data(provenance: dict[str, Any], name: str) -> None:
    training = Training(replace(NETWORK, provenance=provenance), data="folder:some/pictures#500")
    assert training.folder.path == Path("trained") / name


def test_places_may_be_given_as_text_or_as_paths() -> None:
    training = Training(NETWORK, data="digits", out="trained/knee", data_dir=Path("data"))
    assert training.folder == asked(Path("trained") / "knee").folder
    assert training.images.input_shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", "3", r"`epochs` must be a whole number of at least 1, but got '3': write 3\.$"),
        ("seeds", 1.5, "`seeds` must be a whole number of at least 1 and below 10001, but got 1.5"),
        ("out", 3, "`out` must be a string or a Path, but got 3"),
        ("recipe", {"lr": 0.1}, "`recipe` must be a Recipe, but got {'lr': 0.1}"),
        ("source", Path("a.json"), "`source` must be an ExportedArchitecture or a string, but got"),
    ],
)
def test_what_is_of_another_type_is_refused_at_once(field: str, value: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        replace(asked(Path("x")), **{field: value})


@pytest.mark.parametrize("name", ["epochs", "seeds", "threads"])
def test_a_number_below_one_is_refused(name: str) -> None:
    with pytest.raises(
        OptionError, match=rf"`{name}` must be a whole number of at least 1\b.*, but got 0"
    ):
        asked(Path("x"), **{name: 0})


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(OptionError, match="'resnet9' is unknown: did you mean 'resnet8'"):
        Training("resnet9")


def test_a_network_without_data_is_refused() -> None:
    with pytest.raises(OptionError, match="training resnet8 needs `data`, such as cifar10"):
        Training("resnet8").run()


def test_images_that_are_not_those_of_the_search_are_refused_unless_asked_for() -> None:
    source = replace(NETWORK, provenance={"data": "digits#100", "data_fingerprint": "0123"})
    with pytest.raises(StudyError, match=r"is not what .* was searched on .*set `data`"):
        assert Training(source).terms
    assert Training(source, data="digits#100").terms.data == "digits#100"


def test_the_name_of_a_file_is_told_how_it_is_given() -> None:
    with pytest.raises(OptionError, match=r"'knee\.json' is unknown: .* pass load\(FILE\)"):
        Training("knee.json")


def test_data_that_only_a_file_names_is_not_downloaded_and_is_said(tmp_path: Path) -> None:
    item = replace(NETWORK, provenance={"data": "cifar10"})
    with pytest.raises(DataError, match=r"data 'cifar10', which .* is not in .*`data` \(--data\)"):
        _ = Training(item, data_dir=tmp_path, out=tmp_path).images
    assert [*tmp_path.iterdir()] == []
    for number in range(40):
        file = tmp_path / "pictures" / str(number % 2) / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), number).save(file)
    name = f"folder:{tmp_path}/pictures"
    told = Training(replace(NETWORK, provenance={"data": name}), out=tmp_path)
    assert told.notes[0].startswith(f"The images are those of '{name}', which ")
    assert not any("The images are" in note for note in replace(told, data=name).notes)

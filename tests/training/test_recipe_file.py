from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError, NeptuneError, OptionError
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.recipe_file import read_recipe


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("recipe.toml", 'lr = 0.01\ncrop = 2\nflip = "auto"'),
        ("recipe.json", '{"lr": 0.01, "crop": 2}'),
        ("train.toml", 'version = 1\nnetwork = "x"\n[recipe]\nlr = 0.01\ncrop = 2'),
        ("study.toml", "version = 1\n[question.recipe]\nlr = 0.01\ncrop = 2\n[facts]\nclasses = 3"),
        ("best.json", '{"format": "x", "recipe": {"lr": 0.01, "crop": 2}}'),
        ("metrics.json", '{"terms": {"epochs": 3, "recipe": {"lr": 0.01, "crop": 2}}}'),
    ],
)
def test_a_recipe_is_found_in_every_file_that_has_one(tmp_path: Path, name: str, text: str) -> None:
    assert read_recipe(written(tmp_path, name, text)) == Recipe(lr=0.01, crop=2)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.toml", "lrr = 1", "`lrr` is unknown"),
        ("r.toml", 'lr = "fast"', "`lr` must be a number .*, but got 'fast'"),
        ("r.toml", "lr = -1", r"`lr` must be a number in .*, but got -1"),
        ("r.toml", "lr =", r"r\.toml: it is not valid TOML"),
        ("r.json", "{", r"r\.json: it is not valid JSON"),
        ("r.json", "[1]", r"r\.json must hold the fields of a recipe"),
        ("r.json", '{"recipe": 3}', r"r\.json must hold the fields .* but `recipe` has none"),
        ("r.json", "{}", r"r\.json must hold the fields of a recipe, .* but it has none"),
        ("r.toml", "", r"r\.toml must hold the fields of a recipe"),
        ("best.json", '{"format": "x", "recipe": {}}', "but `recipe` has none"),
        ("best.json", '{"format": "x"}', "but `recipe` has none"),
        ("study.toml", '[question]\nspace = "x"', r"but `question\.recipe` has none"),
        ("metrics.json", '{"terms": {}, "lr": 1}', r"but `terms\.recipe` has none"),
        ("metrics.json", '{"terms": 3}', r"but `terms\.recipe` has none"),
    ],
)
def test_a_file_that_is_wrong_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_recipe(written(tmp_path, name, text))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match=r"must be default, strong, or a \.toml or \.json file, but got .*r\.yaml"
    ):
        read_recipe(written(tmp_path, "r.yaml", "lr: 1"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NeptuneError, match=r"none\.toml cannot be read"):
        read_recipe(tmp_path / "none.toml")


def test_a_misspelt_recipe_name_gets_the_nearest_one() -> None:
    with pytest.raises(OptionError, match=r"but got strnog: did you mean 'strong'\?"):
        read_recipe(Path("strnog"))

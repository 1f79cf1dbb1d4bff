"""A recipe in a file, alone or among other things."""

import tomllib
from pathlib import Path
from typing import Any

from neptune_nas.errors import FileFormatError, OptionError
from neptune_nas.files import read_file
from neptune_nas.json_fields import parse
from neptune_nas.study.folder import record_from
from neptune_nas.training.recipe import Recipe

INSIDE = ("question", "terms", "recipe")  # the tables that a recipe lies in, the outermost first


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML or JSON file: its fields, or any file of ours that holds one.

    Those are `study.toml`, an exported architecture, and `train.toml` and `metrics.json` of a
    training. Fields that are not there are as in `Recipe`. Raises `FileFormatError`.
    """
    content = parsed(path)
    for name in INSIDE:
        content = content.get(name, content) if isinstance(content, dict) else content
    if not isinstance(content, dict):
        raise FileFormatError(f"{path} must hold the fields of a recipe, such as `lr`.")
    return record_from(Recipe, content, str(path))


def parsed(path: Path) -> Any:
    """The content of a TOML or JSON file."""
    if path.suffix not in (".toml", ".json"):
        raise OptionError(f"a recipe must be a .toml or .json file, but got {path}.")
    text = read_file(path)
    try:
        return tomllib.loads(text) if path.suffix == ".toml" else parse(text)
    except tomllib.TOMLDecodeError as error:
        raise FileFormatError(f"{path} is no TOML: {error}.") from error
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from error

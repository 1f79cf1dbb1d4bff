"""The recipe in a file, alone or as part of another format."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from neptune_nas.errors import FileFormatError, OptionError, nearest
from neptune_nas.files.atomic import read_file
from neptune_nas.files.documents import parse_json, parse_toml
from neptune_nas.files.schema import cut, decode, located
from neptune_nas.training.recipe import RECIPES, Recipe

_WORDS = {"true": True, "false": False}
_OUTER = ("question", "terms")  # the tables that have the recipe of `study.toml`, `metrics.json`
_OURS = ("recipe", "version", "format")  # each of our other files has one of them at its top


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a TOML or JSON file: its fields alone, or any of our files with one.

    Those are `study.toml`, an exported architecture, and `train.toml` and `metrics.json` of a
    training. Missing fields take the defaults of `Recipe`. Raises `FileFormatError`, also for a
    file without any of them.
    """
    content = _parse_file(path)
    where = _place_in(content)
    for name in where:
        content = content.get(name) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not content:
        place = f"`{'.'.join(where)}`" if where else "it"
        raise FileFormatError(
            f"{path} must hold the fields of a recipe, such as `lr`, but {place} has none."
        )
    with located(path):
        return decode(Recipe, content)


def with_values(recipe: Recipe, settings: Sequence[str], where: str = "recipe") -> Recipe:
    """Return a recipe with other values, each a text such as `lr=0.01`; a later one wins.

    `where`: what messages begin with. Raises `OptionError` for another form, an unknown name, and a
    value of another type or range.

    >>> with_values(Recipe(), ["lr=1e-3", "optimizer=sgd", "flip=false"]).lr
    0.001
    """
    values = {}
    for text in settings:
        name, sign, value = map(str.strip, text.partition("="))
        if not sign or not name:
            raise OptionError(f"{where} needs NAME=VALUE, such as lr=0.01, but got {cut(text)}.")
        values[name] = _value_in(value)
    with located(where, OptionError):
        return decode(Recipe, {**asdict(recipe), **values}, error=OptionError)


def _value_in(text: str) -> bool | float | str:
    """Return the value in a text: true or false, a number, or else the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _place_in(content: object) -> tuple[str, ...]:
    """Return the path of keys to the recipe in a file's content; empty if it is the recipe."""
    if not isinstance(content, dict):
        return ()
    for outer in _OUTER:
        if outer in content:
            return (outer, "recipe")
    return ("recipe",) if any(name in content for name in _OURS) else ()


def _parse_file(path: Path) -> Any:
    """Return the content of a TOML or JSON file."""
    if path.suffix not in (".toml", ".json"):
        near = nearest(sorted(RECIPES), str(path))
        end = f": did you mean '{near}'?" if near else "."
        raise OptionError(
            f"a recipe must be {', '.join(RECIPES)}, or a .toml or .json file, but got {path}{end}"
        )
    text = read_file(path)
    with located(path):
        return parse_toml(text) if path.suffix == ".toml" else parse_json(text)

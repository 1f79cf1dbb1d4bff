"""The options for how networks are trained, and for what tracks it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from neptune_nas.training.recipe import Recipe

RecipeName = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help="strong, default, or a .toml or .json file with a recipe (default: strong to train, "
        "default to search).",
        metavar="NAME|FILE",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="One value of the recipe, such as lr=0.01; may be given several times.",
        metavar="NAME=VALUE",
    ),
]
Track = Annotated[
    str | None,
    typer.Option(
        "--tracker",
        help="tensorboard or mlflow: also write the results for this program, into their folder; "
        "needs the extra of the same name.",
        metavar="NAME",
    ),
]


def recipe_of(
    name: str | None, values: list[str] | None, usual: Callable[[], "Recipe"]
) -> "Recipe | None":
    """Return the recipe that `--recipe` and `--set` ask for; None if neither was given.

    `usual`: returns the recipe without them.
    """
    if name is None and not values:
        return None
    from neptune_nas.training.recipe import RECIPES
    from neptune_nas.training.recipe_file import read_recipe, with_values

    if name is None:
        found = usual()
    else:
        found = RECIPES[name](usual()) if name in RECIPES else read_recipe(Path(name))
    return with_values(found, values or (), "--set")

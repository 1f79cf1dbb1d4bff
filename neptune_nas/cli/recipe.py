"""The options for how networks are trained, and for what tracks it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from neptune_nas.training.recipe import Recipe

RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        help="A .toml or .json file with a recipe (default: the search's, or that of the data).",
        metavar="FILE",
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
    file: Path | None, values: list[str] | None, usual: Callable[[], "Recipe"]
) -> "Recipe | None":
    """Return the recipe that `--recipe` and `--set` ask for; None if neither was given.

    `usual`: returns the recipe without them.
    """
    if file is None and not values:
        return None
    from neptune_nas.training.recipe_file import read_recipe, with_values

    return with_values(usual() if file is None else read_recipe(file), values or (), "--set")

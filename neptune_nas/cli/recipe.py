"""The options for how networks are trained, and for what tracks it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neptune_nas.errors import OptionError

if TYPE_CHECKING:
    from neptune_nas.training.recipe import Recipe

RecipeName = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help="strong, default, or a .toml or .json file with a recipe (unless given: strong for "
        "train, default for search).",
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
Teacher = Annotated[
    str | None,
    typer.Option(
        "--teacher",
        help="A larger network to learn from: a trained model's file, or a function that returns "
        "an nn.Module, as FILE.py:FUNCTION or package.module:FUNCTION.",
        metavar="MODEL",
    ),
]
TeacherViews = Annotated[
    int | None,
    typer.Option(
        "--teacher-views",
        help="How many fixed views of each image the teacher sees, once for all epochs (default: "
        "8). With 0 it sees the plain images, while the network learns from random views.",
        metavar="N",
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


def teacher_of(teacher: str | None, views: int | None, *, known: bool = False) -> dict[str, Any]:
    """Return the arguments that `--teacher` and `--teacher-views` stand for.

    `known`: whether a file may name a teacher too. Raises `OptionError` for views without a
    teacher.
    """
    if views is not None and teacher is None and not known:
        raise OptionError("--teacher-views needs a --teacher, such as --teacher big.safetensors.")
    given = {"teacher": teacher, "teacher_views": views}
    return {name: value for name, value in given.items() if value is not None}

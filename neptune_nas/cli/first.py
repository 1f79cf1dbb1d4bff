"""The option `--first`: what a search tries first, and the model that networks start from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from neptune_nas.errors import OptionError
from neptune_nas.files.signatures import is_model_file

First = Annotated[
    list[Path] | None,
    typer.Option(
        "--first",
        help="An exported architecture, or a study (for its front), to try before the sampler's "
        "proposals; may be given several times. With a trained model (.safetensors), networks "
        "start from its weights, where they fit.",
        metavar="FILE",
    ),
]


def first_in(files: Sequence[Path] | None) -> dict[str, object]:
    """Return the arguments `first` and `start` of a search; None where nothing is given.

    Raises `OptionError` for more than one trained model.
    """
    models = [file for file in files or () if not file.is_dir() and is_model_file(file)]
    if len(models) > 1:
        named = " and ".join(map(str, models))
        raise OptionError(f"`start` (--first) must be one trained model, but got {named}.")
    others = tuple(file for file in files or () if file not in models)
    return {"first": others or None, "start": models[0] if models else None}

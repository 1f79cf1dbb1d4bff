"""The option that lets a JSON file, or a study, name a user's own records."""

from typing import Annotated

import typer

from neptune_nas.space.locate import find_module, records_of

Allow = Annotated[
    list[str] | None,
    typer.Option(
        help="A FILE.py or package.module:NAME whose own records it may hold.",
        metavar="FILE",
    ),
]


def allowed(files: list[str] | None) -> tuple[type, ...]:
    """The record classes that the named modules define."""
    return tuple(cls for file in files or [] for cls in records_of(find_module(file)))

"""The option that allows a user's records in a JSON file or a study."""

from typing import Annotated

import typer

from neptune_nas.space.locate import find_module, records_of

Allow = Annotated[
    list[str] | None,
    typer.Option(
        help="A FILE.py or package.module:NAME whose records it may hold.",
        metavar="FILE",
    ),
]


def allowed(files: list[str] | None) -> tuple[type, ...]:
    """Return the record classes defined by the named modules."""
    return tuple(cls for file in files or [] for cls in records_of(find_module(file)))

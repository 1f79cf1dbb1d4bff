"""`neptune-nas diff`."""

from pathlib import Path
from typing import Annotated

import typer

from neptune_nas.cli.allow import Allow, allowed

EXAMPLE = "Example: neptune-nas diff a.json b.json"

File = Annotated[Path, typer.Argument(help="An exported architecture.", metavar="FILE.json")]


def diff(one: File, other: File, allow: Allow = None) -> None:
    """Compare the decisions, costs and scores of two architectures."""
    from rich.table import Table

    from neptune_nas.cli.console import console
    from neptune_nas.models.architecture_file import load
    from neptune_nas.models.comparison import facts_of

    classes = allowed(allow)
    a, b = (facts_of(load(file, classes)) for file in (one, other))
    table = Table()
    for heading in ("", str(one), str(other)):
        table.add_column(heading, overflow="fold")
    for name in dict.fromkeys([*a, *b]):
        left, right = a.get(name, "-"), b.get(name, "-")
        table.add_row(name, left, right, style="bold" if left != right else "dim")
    console().print(table)

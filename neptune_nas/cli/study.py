"""Options of the commands that measure more for a study."""

from pathlib import Path
from typing import Annotated

import typer

Study = Annotated[Path, typer.Argument(help="The study's folder.", metavar="STUDY")]
Jobs = Annotated[
    int | None, typer.Option("-j", "--jobs", help="Evaluations at once (default: one a core).")
]
Threads = Annotated[
    int | None,
    typer.Option(help="Threads of each evaluation (default: its share of the cores)."),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
DataDir = Annotated[
    str | None, typer.Option(help="Where data sets lie and are downloaded to.", metavar="DIR")
]

"""`neptune-nas status` and `watch`: a study while it is searched, read without a lock."""

from pathlib import Path
from typing import Annotated

import typer

STATUS_EXAMPLE = "Example: neptune-nas status studies/default-digits"
WATCH_EXAMPLE = "Example: neptune-nas watch studies/default-digits --every 5"

Study = Annotated[Path, typer.Argument(help="The study's folder.", metavar="STUDY")]


def status(study: Study) -> None:
    """Say how far a study is: trials, front, rungs, time left."""
    from rich.console import Console

    from neptune_nas.cli.overview import overview
    from neptune_nas.study.read import read_results

    Console().print(overview(read_results(study)))


def watch(
    study: Study,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 2.0,
) -> None:
    """Show how far a study is, again and again, until it is complete or Ctrl-C."""
    from time import sleep

    from rich.live import Live

    from neptune_nas.cli.overview import overview
    from neptune_nas.study.progress import is_complete
    from neptune_nas.study.read import read_results

    results = read_results(study)
    with Live(overview(results), refresh_per_second=4) as live:
        while not is_complete(results):
            sleep(every)
            results = read_results(study)
            live.update(overview(results))

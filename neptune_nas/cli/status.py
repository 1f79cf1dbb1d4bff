"""`neptune-nas status` and `watch`: a study during its search, read without a lock."""

from typing import Annotated

import typer

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.study import Storage, StudyFolder, study_at

STATUS_EXAMPLE = "Example: neptune-nas status studies/default-digits"
WATCH_EXAMPLE = "Example: neptune-nas watch studies/default-digits --every 5"


def status(study: StudyFolder, storage: Storage = None, allow: Allow = None) -> None:
    """Print the progress of a study: trials, front, rungs, time left."""
    from neptune_nas.cli.console import console
    from neptune_nas.cli.overview import overview

    console().print(overview(study_at(study, storage, allow)))


def watch(
    study: StudyFolder,
    every: Annotated[
        float, typer.Option(min=0.5, max=86_400, help="Seconds between two updates.")
    ] = 2.0,
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Watch a study until it is done and no process works on it. Ctrl-C ends it."""
    from time import sleep

    from rich.live import Live

    from neptune_nas.cli.console import console
    from neptune_nas.cli.overview import overview
    from neptune_nas.study.progress import is_at_work, is_complete

    found = study_at(study, storage, allow)
    with Live(overview(found), console=console(), refresh_per_second=4) as live:
        while not is_complete(found) or is_at_work(found):
            sleep(every)
            found = study_at(study, storage, allow)
            live.update(overview(found))

"""`neptune-nas audit`."""

from typing import Annotated

import typer

from neptune_nas.cli.study import (
    DataDir,
    Device,
    Jobs,
    SpaceFile,
    Storage,
    StudyFolder,
    Threads,
    storage_of,
)

EXAMPLE = "Example: neptune-nas audit studies/default-digits --architectures 12"


def audit(
    study: StudyFolder,
    architectures: Annotated[int, typer.Option(help="How many to train again.")] = 12,
    epochs: Annotated[
        int | None, typer.Option(help="Full budget (default: five times the last rung).")
    ] = None,
    jobs: Jobs = None,
    threads: Threads = None,
    device: Device = "auto",
    data_dir: DataDir = None,
    storage: Storage = None,
    allow: SpaceFile = None,
) -> None:
    """Train some architectures of a study for longer: do its rungs rank as that does?"""
    from dataclasses import replace

    from neptune_nas.again import search_of
    from neptune_nas.audit import run_audit
    from neptune_nas.cli.console import console
    from neptune_nas.cli.summary import audit_table

    search = search_of(study, storage_of(study, storage), allow)
    search = replace(search, jobs=jobs, threads=threads, device=device, data_dir=data_dir)
    err = console(stderr=True)
    found = run_audit(
        search,
        architectures,
        epochs,
        lambda done, total: err.print(f"{done} of {total} trained"),
    )
    if found.audit is None:
        typer.echo("Too few of them could be trained to the end to compare rankings.")
        return
    console().print(audit_table(found.audit))
    typer.echo(f"{found.audit.verdict}.")

"""`neptune-nas report`."""

from pathlib import Path
from typing import Annotated

import typer

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.study import Force, Storage, Studies, study_at
from neptune_nas.cli.terminal import print_line, print_text
from neptune_nas.cli.values import check_known
from neptune_nas.files.rules import Share
from neptune_nas.files.schema import check_value
from neptune_nas.metrics.registry import CLASSIFICATION, COSTS

EXAMPLE = "Example: neptune-nas report studies/default-digits --min-accuracy 0.95"
FORMATS = ("html", "md", "csv")


def report(
    studies: Studies,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Where to write (default: into the study; md, csv: stdout)."
        ),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            help="Rank only trials with at least this (default: those not clearly worse than the "
            "best)."
        ),
    ] = None,
    rank_by: Annotated[
        str | None,
        typer.Option(
            help=f"efficiency, knee, {CLASSIFICATION[0].name}, {', '.join(c.name for c in COSTS)} "
            f"(default: what the objectives say)."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="html, md or csv.")] = "html",
    force: Force = False,
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Write the report of a study again, or one on several studies."""
    from neptune_nas.files.atomic import write_file
    from neptune_nas.report.outputs import write_outputs
    from neptune_nas.report.page import render
    from neptune_nas.report.tables import ranking_text

    check_known(form, "--format", FORMATS)
    check_value(min_accuracy, Share | None, "--min-accuracy")
    results = [study_at(path, storage, allow) for path in studies]
    if form == "html":
        text = render(results, min_accuracy=min_accuracy, rank_by=rank_by, force=force)
        if len(results) == 1:
            write_outputs(results[0], report=text)
        target = output or (
            studies[0] / "report.html" if len(studies) == 1 else Path("report.html")
        )
        write_file(target, text)
        print_line(f"Report: {target}")
        return
    text = "\n".join(ranking_text(each, form, rank_by, min_accuracy) for each in results)
    if output is None:
        print_text(text)
    else:
        write_file(output, text)

"""`neptune-nas export`."""

from pathlib import Path
from typing import Annotated

import typer

from neptune_nas.errors import OptionError, StudyError, one_of

EXAMPLE = "Example: neptune-nas export studies/default-digits --best knee -o knee.json"
PICKS = ("efficiency", "accuracy", "knee")
FORMATS = ("json",)


def export(
    study: Annotated[Path, typer.Argument(help="The study's folder.", metavar="STUDY")],
    which: Annotated[
        str | None, typer.Option("--best", help="efficiency (default), accuracy or knee.")
    ] = None,
    trial: Annotated[int | None, typer.Option(help="A trial by its number.")] = None,
    min_accuracy: Annotated[
        float | None, typer.Option(help="Rank only above this (default: 5 points below the best).")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="json.")] = "json",
    output: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write (default: stdout).")
    ] = None,
) -> None:
    """Write an architecture of a study as a file that stands for itself."""
    from neptune_nas.export import dumps, exported
    from neptune_nas.files import write_file
    from neptune_nas.report.ranking import best
    from neptune_nas.study.read import read_results

    if which is not None and trial is not None:
        raise OptionError("--best and --trial exclude each other: give one of them.")
    if which not in (None, *PICKS):
        raise OptionError(f"--best '{which}' is unknown: {one_of(PICKS, str(which))}")
    if form not in FORMATS:
        raise OptionError(f"--format '{form}' is unknown: {one_of(FORMATS, form)}")
    results = read_results(study)
    if trial is None:
        chosen = best(results, which or "efficiency", min_accuracy)
    elif 0 <= trial < len(results.trials):
        chosen = next(t for t in results.trials if t.number == trial)
    else:
        raise StudyError(
            f"study {study} has trials 0 to {len(results.trials) - 1}, "
            f"but --trial asks for {trial}."
        )
    text = dumps(exported(results, chosen))
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_file(output, text)
        typer.echo(f"Trial {chosen.number}: {output}")

"""`neptune-nas export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.study import Storage, StudyFolder, study_at
from neptune_nas.errors import OptionError, StudyError, one_of

if TYPE_CHECKING:
    from neptune_nas.study.study import Study
    from neptune_nas.trial import Trial

EXAMPLE = "Example: neptune-nas export studies/default-digits --best knee -o knee.json"
PICKS = ("efficiency", "accuracy", "knee")
FORMATS = ("json",)


def export(
    study: StudyFolder,
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
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Write an architecture of a study as a file that stands for itself."""
    from neptune_nas.export import dumps, exported
    from neptune_nas.files import write_file
    from neptune_nas.report.ranking import best

    if which is not None and trial is not None:
        raise OptionError("--best and --trial exclude each other: give one of them.")
    if which not in (None, *PICKS):
        raise OptionError(f"--best '{which}' is unknown: {one_of(PICKS, str(which))}")
    if form not in FORMATS:
        raise OptionError(f"--format '{form}' is unknown: {one_of(FORMATS, form)}")
    found = study_at(study, storage, allow)
    if trial is None:
        chosen = best(found, which or "efficiency", min_accuracy)
    else:
        chosen = numbered(found, trial)
    text = dumps(exported(found, chosen))
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_file(output, text)
        typer.echo(f"Trial {chosen.number}: {output}")


def numbered(found: "Study", number: int) -> "Trial":
    """The trial of that number; raises `StudyError` where the study has none."""
    for trial in found.trials:
        if trial.number == number:
            return trial
    numbers = [trial.number for trial in found.trials]
    has = f"trials {numbers[0]} to {numbers[-1]}" if numbers else "no trials"
    raise StudyError(f"study {found.folder} has {has}, but --trial asks for {number}.")

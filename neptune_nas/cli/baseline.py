"""`neptune-nas baseline`."""

from typing import Annotated

import typer

from neptune_nas.cli.measuring import DryRun, Measuring, measuring
from neptune_nas.cli.values import names

EXAMPLE = "Example: neptune-nas baseline studies/default-digits --samplers random,local"


@measuring
def baseline(
    measure: Measuring,
    samplers: Annotated[str, typer.Option(help="Names, comma-separated.")] = "random,local",
    trials: Annotated[
        int | None, typer.Option(help="Trials of each (default: as many as the study has).")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Search with other samplers at equal budget, for comparison."""
    from neptune_nas.cli.progress import say, watching
    from neptune_nas.report.baselines import baseline_verdicts
    from neptune_nas.trust.baselines import baselines_text, forecast_baselines, run_baselines

    search = measure.search()
    if dry_run:
        typer.echo(baselines_text(forecast_baselines(search, names(samplers), trials)))
        return
    with watching(search.folder.baselines, quiet=False, verbose=False) as watch:
        found = run_baselines(search, names(samplers), trials, watch, say)
    for each in baseline_verdicts(found):
        typer.echo(f"{str(each)[0].upper()}{str(each)[1:]}.")
    typer.echo(f"Report: {found.folder / 'report.html'}")

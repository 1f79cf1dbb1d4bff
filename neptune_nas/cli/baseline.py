"""`neptune-nas baseline`."""

from typing import Annotated

import typer

from neptune_nas.cli.measuring import DryRun, Measuring, measuring
from neptune_nas.cli.terminal import print_line
from neptune_nas.cli.values import names
from neptune_nas.interrupts import ctrl_c_held

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
    from neptune_nas.cli.console import fail_unless_any
    from neptune_nas.cli.progress import say, watching
    from neptune_nas.report.baselines import baseline_verdicts
    from neptune_nas.trust.baselines import baselines_text, forecast_baselines, run_baselines

    search = measure.search()
    if dry_run:
        print_line(baselines_text(forecast_baselines(search, names(samplers), trials)))
        return
    with watching(search.folder.baselines, quiet=False, verbose=False) as watch:
        found = run_baselines(search, names(samplers), trials, watch, say)
    with ctrl_c_held():
        for each in baseline_verdicts(found):
            print_line(f"{str(each)[0].upper()}{str(each)[1:]}.")
        print_line(f"Report: {found.folder / 'report.html'}")
    searched = (trial for each in found.baselines.values() for trial in each)
    fail_unless_any((score for trial in searched for score in trial.scores), "trial of a baseline")

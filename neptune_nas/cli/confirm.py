"""`neptune-nas confirm`."""

from typing import Annotated

import typer

from neptune_nas.cli.measuring import DryRun, Measuring, measuring, print_forecast

EXAMPLE = "Example: neptune-nas confirm studies/default-digits --seeds 3"


@measuring
def confirm(
    measure: Measuring,
    seeds: Annotated[int, typer.Option(help="Total scores per trial.")] = 3,
    by: Annotated[
        str | None,
        typer.Option(help="A ranking, such as accuracy or knee (default: the Pareto front)."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(help="How many trials of that ranking (default: 5).")
    ] = None,
    evaluations: Annotated[
        int | None, typer.Option(help="The most evaluations to run now.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Score the best trials again with more seeds, to rule out luck."""
    from neptune_nas.cli.confirming import confirm_more
    from neptune_nas.cli.console import fail_unless_any
    from neptune_nas.study.confirmation import Goal
    from neptune_nas.trust.confirm import forecast_confirm

    search, goal = measure.search(), Goal(seeds, by, top)
    if dry_run:
        print_forecast(search, forecast_confirm(search, goal, evaluations))
        return
    study = confirm_more(search, goal, evaluations)
    scores = (score for trial in study.trials for score in trial.confirmations)
    fail_unless_any(scores, "confirmation")

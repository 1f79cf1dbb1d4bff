"""`neptune-nas confirm`."""

from typing import Annotated

import typer

from neptune_nas.cli.measuring import Measuring, measuring

EXAMPLE = "Example: neptune-nas confirm studies/default-digits --seeds 3"


@measuring
def confirm(
    measure: Measuring,
    seeds: Annotated[int, typer.Option(help="Scores that each is to have in all.")] = 3,
    by: Annotated[
        str | None,
        typer.Option(help="A ranking, such as accuracy or knee (default: the Pareto front)."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(help="How many places of that ranking (default: 5).")
    ] = None,
    evaluations: Annotated[int | None, typer.Option(help="The most to make now.")] = None,
) -> None:
    """Score the best again with more seeds: was it luck?"""
    from neptune_nas.cli.confirming import confirm_more
    from neptune_nas.cli.console import console
    from neptune_nas.study.confirmation import Goal

    study = confirm_more(measure.search(), Goal(seeds, by, top), evaluations)
    console().print(f"Report: {study.folder / 'report.html'}", soft_wrap=True)

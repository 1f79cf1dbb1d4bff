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
    best: Annotated[
        int | None, typer.Option(help="How many places of that ranking (default: 5).")
    ] = None,
    evaluations: Annotated[int | None, typer.Option(help="The most to make now.")] = None,
) -> None:
    """Score the best trials of a study with more seeds: are they as good as they look?"""
    from neptune_nas.cli.console import console
    from neptune_nas.cli.summary import print_study
    from neptune_nas.confirm import run_confirm
    from neptune_nas.study.confirmation import Goal
    from neptune_nas.trial import Trial

    err = console(stderr=True)

    def watch(trial: Trial, unsure: int) -> None:
        score = trial.confirmations[-1]
        said = f"accuracy {score.accuracy:.4f}" if score.ok else f"failed: {score.failure}"
        mean = f"{trial.score.accuracy:.4f}" if trial.score else "-"
        err.print(f"trial {trial.number}: {said}, mean {mean}; {unsure} still to confirm")

    print_study(run_confirm(measure.search(), Goal(seeds, by, best), evaluations, watch))

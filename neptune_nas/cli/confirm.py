"""`neptune-nas confirm`."""

from typing import Annotated

import typer

from neptune_nas.cli.measuring import Measuring, measuring
from neptune_nas.wording import counted

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
    from neptune_nas.again import study_of
    from neptune_nas.cli.console import console
    from neptune_nas.cli.summary import confirmed_lines, confirmed_table
    from neptune_nas.confirm import run_confirm
    from neptune_nas.study.confirmation import Goal, as_searched
    from neptune_nas.study.noise import accuracies
    from neptune_nas.trial import Trial

    goal, search, err = Goal(seeds, by, top), measure.search(), console(stderr=True)

    def watch(trial: Trial, unsure: int) -> None:
        score, mean = trial.confirmations[-1], trial.score
        said = f"accuracy {score.accuracy:.4f}" if score.ok else f"failed: {score.failure}"
        seeds, left = counted(len(accuracies(trial)), "seed"), counted(unsure, "trial")
        now = f"mean {mean.accuracy:.4f} of {seeds}" if mean else "no mean"
        err.print(f"trial {trial.number}: {said}, {now}; {left} still to confirm")

    before = study_of(search)
    study = run_confirm(search, goal, evaluations, watch)
    terminal = console()
    terminal.print(confirmed_table(study, goal, as_searched(study.trials)))
    for line in confirmed_lines(before, study, goal):
        terminal.print(line, soft_wrap=True)
    terminal.print(f"Report: {study.folder / 'report.html'}", soft_wrap=True)

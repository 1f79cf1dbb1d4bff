"""Confirming the best trials of a study, told as it goes."""

from collections.abc import Callable

from neptune_nas.again import study_of
from neptune_nas.cli.console import console
from neptune_nas.cli.summary import confirmed_lines, confirmed_table
from neptune_nas.confirm import run_confirm
from neptune_nas.search import Search
from neptune_nas.study.confirmation import Goal, as_searched
from neptune_nas.study.noise import accuracies
from neptune_nas.study.study import Study
from neptune_nas.trial import Trial
from neptune_nas.watch import ignore
from neptune_nas.wording import counted


def confirm_best(
    search: Search, goal: Goal, evaluations: int | None = None, *, quiet: bool = False
) -> Study:
    """Score the best of a search's study again, and print each result and what became of them."""
    before = study_of(search)
    study = run_confirm(search, goal, evaluations, ignore if quiet else teller())
    if not quiet:
        terminal = console()
        terminal.print(confirmed_table(study, goal, as_searched(study.trials)))
        for line in confirmed_lines(before, study, goal):
            terminal.print(line, soft_wrap=True)
    return study


def teller() -> Callable[[Trial, int], None]:
    """What prints each result."""
    err = console(stderr=True)

    def watch(trial: Trial, unsure: int) -> None:
        score, mean = trial.confirmations[-1], trial.score
        said = f"accuracy {score.accuracy:.4f}" if score.ok else f"failed: {score.failure}"
        seeds, left = counted(len(accuracies(trial)), "seed"), counted(unsure, "trial")
        now = f"mean {mean.accuracy:.4f} of {seeds}" if mean else "no mean"
        err.print(f"trial {trial.number}: {said}, {now}; {left} still to confirm")

    return watch

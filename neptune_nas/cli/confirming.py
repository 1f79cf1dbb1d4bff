"""Confirming the best trials of a study, told as it goes."""

from collections.abc import Callable

from neptune_nas.again import study_of
from neptune_nas.cli.console import console
from neptune_nas.cli.summary import confirmed_lines, confirmed_table
from neptune_nas.confirm import run_confirm, usual_goal
from neptune_nas.search import Search
from neptune_nas.study.confirmation import Goal, as_searched
from neptune_nas.study.noise import accuracies
from neptune_nas.study.study import Study
from neptune_nas.trial import State, Trial
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


def confirm_in_all(search: Search, study: Study, most: int, *, quiet: bool = False) -> Study:
    """Confirm the best of a search that is over, until the study has had `most` such evaluations.

    One that was stopped, or in which nothing came to its end, is left as it is.
    """
    if any(trial.state is State.RUNNING for trial in study.trials) or not study.ranked:
        console(stderr=True).print(
            "Nothing was confirmed: the search is not over. The same command goes on."
            if study.ranked
            else "Nothing was confirmed: no trial came to its end."
        )
        return study
    left = most - sum(len(trial.confirmations) for trial in study.trials)
    return confirm_best(search, usual_goal(search), left, quiet=quiet) if left > 0 else study


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

"""The confirmation of a study's best trials, with its progress."""

from neptune_nas.cli.console import console
from neptune_nas.cli.measuring import print_step
from neptune_nas.cli.summary import confirmed_lines, confirmed_table
from neptune_nas.cli.terminal import print_line
from neptune_nas.search.config import Search, ignore
from neptune_nas.search.resume import study_of
from neptune_nas.study.confirmation import (
    Aim,
    Goal,
    confirmation_progress,
    evaluations_of,
    without_confirmations,
)
from neptune_nas.study.progress import is_complete
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from neptune_nas.text import counted
from neptune_nas.trust.confirm import run_confirm, usual_goal


def confirm_more(search: Search, goal: Goal, evaluations: int | None = None) -> Study:
    """Score the best trials of a search's study again, and print each result and a summary."""
    before = study_of(search)
    study = run_confirm(search, goal, evaluations, print_step)
    print_confirmed(before, study, goal, "the same command")
    return study


def print_confirmed(before: Study, after: Study, goal: Goal, resume: str) -> None:
    """Print the best trials, what has changed, and how to continue with `resume`."""
    console().print(confirmed_table(after, goal, without_confirmations(after.trials)))
    for line in confirmed_lines(before, after, goal, resume):
        print_line(line)


def foretold(search: Search, study: Study | None, most: int | None) -> str | None:
    """Return what a search would do after its trials, with or without `--confirm`, if anything.

    `study`: its current state; None for a new one.
    """
    is_over = study is not None and is_complete(study)
    if most is None:
        return "The search would only rewrite its report." if is_over else None
    left = max(0, most - evaluations_of(study.trials if study else ()))
    if study is None or not is_over:
        then = f"at most {counted(left, 'evaluation')} to confirm the best"
        return f"Then {then if left else f'--confirm {most} allows no more evaluations'}."
    if not study.ranked:
        return "Nothing could be confirmed: no trial has finished."
    now = confirmation_progress(study, Aim(usual_goal(search), most))
    if now.done < now.total:
        return (
            f"The search would only confirm the best, which lack "
            f"{counted(now.total - now.done, 'score')}, with at most {counted(left, 'evaluation')}."
        )
    why = (
        f"--confirm {most} allows no more evaluations"
        if now.unconfirmed
        else "the best are confirmed"
    )
    return f"The search would only rewrite its report: {why}."


def confirm_in_all(search: Search, study: Study, most: int, *, quiet: bool = False) -> Study:
    """Confirm the best trials of a finished search, with `most` such evaluations in total.

    A study that was stopped, or has no finished trial, is left unchanged.
    """
    if any(trial.state is State.RUNNING for trial in study.trials) or not study.ranked:
        print_line(
            "Nothing was confirmed: the search is unfinished. The same command resumes it."
            if study.ranked
            else "Nothing was confirmed: no trial has finished.",
            stderr=True,
        )
        return study
    left, goal = most - evaluations_of(study.trials), usual_goal(search)
    if left <= 0:
        return study
    after = run_confirm(search, goal, left, ignore if quiet else print_step)
    if not quiet:
        print_confirmed(study, after, goal, "the same command with a larger --confirm")
    return after

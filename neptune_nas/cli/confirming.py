"""The confirmation of a study's best trials, with its progress."""

from math import ceil

from neptune_nas.cli.console import console
from neptune_nas.cli.measuring import print_step
from neptune_nas.cli.summary import confirmed_lines, confirmed_table
from neptune_nas.cli.terminal import print_line
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.search.config import Search
from neptune_nas.search.dry_run import expected_epochs
from neptune_nas.search.resume import study_of
from neptune_nas.study.confirmation import Goal, evaluations_of, without_confirmations
from neptune_nas.study.progress import is_complete
from neptune_nas.study.rungs import Rungs
from neptune_nas.study.study import Study
from neptune_nas.text import counted
from neptune_nas.trust.confirm import run_confirm
from neptune_nas.trust.evidence import SEEDS, SHARE, Evidence


def confirm_more(search: Search, goal: Goal, evaluations: int | None = None) -> Study:
    """Score the best trials of a search's study again, and print each result and a summary."""
    before = study_of(search)
    study = run_confirm(search, goal, evaluations, print_step)
    with ctrl_c_held():
        print_confirmed(before, study, goal, "the same command")
        print_line(f"Report: {study.folder / 'report.html'}")
    return study


def print_confirmed(before: Study, after: Study, goal: Goal, resume: str) -> None:
    """Print the best trials, what has changed, and how to continue with `resume`."""
    console().print(confirmed_table(after, goal, without_confirmations(after.trials)))
    for line in confirmed_lines(before, after, goal, resume):
        print_line(line)


def foretold(search: Search, study: Study | None, wanted: Evidence) -> str | None:
    """Return what a search would do after its trials, if anything.

    `study`: its current state; None for a new one.
    """
    is_over = study is not None and is_complete(study)
    if study is not None and is_over and not study.ranked:
        return "Nothing could be confirmed: no trial has finished."
    made = evaluations_of(study.trials if study else ())
    left = _most_confirmations(search, wanted) - made
    parts = []
    if wanted.yardstick and search.trains_networks:
        parts.append(f"train two plain networks with {SEEDS} seeds each")
    if left > 0:
        parts.append(f"confirm the best with at most {counted(left, 'evaluation')}")
    why = f"--confirm {wanted.confirm} allows no more evaluations" if wanted.confirm else ""
    if not is_over:
        if parts:
            return f"Then it would {' and '.join(parts)}."
        return f"Then it would end: {why}." if why else None
    if not parts:
        return f"The search would only rewrite its report{f': {why}' if why else ''}."
    return (
        f"The search would only {' and '.join(parts)}, as far as that is not done yet, and "
        f"rewrite its report."
    )


def _most_confirmations(search: Search, wanted: Evidence) -> int:
    """Return the most evaluations in total that would confirm a search, as far as is known."""
    if wanted.confirm is not None or not search.trains_networks:
        return wanted.confirm or 0
    question = search.question
    epochs = expected_epochs(Rungs(question.rungs, question.reduction), question.repeats)
    return ceil(search.trials * epochs / question.rungs[-1] / SHARE)

"""The confirmation of a study's best trials, and the plan of what follows a search."""

from collections.abc import Iterator

from neptune_nas.cli.console import console
from neptune_nas.cli.measuring import print_step
from neptune_nas.cli.summary import confirmed_lines, confirmed_table
from neptune_nas.cli.terminal import print_line
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.search.config import Search
from neptune_nas.search.dry_run import DryRun
from neptune_nas.search.resume import study_of
from neptune_nas.study.confirmation import Goal, without_confirmations
from neptune_nas.study.progress import is_complete
from neptune_nas.study.study import Study
from neptune_nas.text import clock, counted
from neptune_nas.trust.confirm import run_confirm
from neptune_nas.trust.evidence import SEEDS, Evidence
from neptune_nas.trust.evidence_forecast import EvidenceForecast, forecast_evidence


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


def evidence_lines(search: Search, plan: DryRun, wanted: Evidence) -> Iterator[str]:
    """Yield what a search would do after its trials, and how long it all takes."""
    study, after = plan.study, forecast_evidence(search, plan, wanted)
    is_over = study is not None and is_complete(study)
    if study is not None and is_over and not study.ranked:
        yield "Nothing could be confirmed: no trial has finished."
        return
    work = " and ".join(_work(after))
    why = f"--confirm {wanted.confirm} allows no more evaluations" if wanted.confirm else ""
    if is_over:
        if work:
            yield (
                f"The search would only {work}, unless that is done already, and rewrite its "
                f"report{_about(after.seconds)}."
            )
        else:
            yield f"The search would only rewrite its report{f': {why}' if why else ''}."
        return
    first = plan.start + plan.seconds
    if search.timeout is not None and first > search.timeout:
        then = f", and only then {work}" if work else ""
        yield (
            f"--timeout would end it after {clock(search.timeout)}, before it has all its trials; "
            f"the same command would resume it{then}."
        )
    elif work:
        yield f"Then it would {work}{_about(after.seconds)}, {clock(first + after.seconds)} in all."
    elif why:
        yield f"Then it would end: {why}."


def _about(seconds: float) -> str:
    return f": about {clock(seconds)}"


def _work(after: EvidenceForecast) -> Iterator[str]:
    """Yield what would be measured, as verb phrases."""
    if after.networks:
        most = "" if after.is_exact else "up to "
        networks = counted(after.networks, "plain network")
        yield f"train {most}{networks} with {SEEDS} seeds each"
    if after.confirmations:
        yield f"confirm the best with at most {counted(after.confirmations, 'evaluation')}"

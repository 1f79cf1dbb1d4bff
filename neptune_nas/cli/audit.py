"""`neptune-nas audit`."""

from typing import Annotated

import typer

from neptune_nas.cli.measuring import DryRun, Measuring, measuring, print_forecast, print_step
from neptune_nas.cli.terminal import print_line
from neptune_nas.interrupts import ctrl_c_held

EXAMPLE = "Example: neptune-nas audit studies/default-digits --architectures 12"


@measuring
def audit(
    measure: Measuring,
    architectures: Annotated[
        int, typer.Option(help="How many to train again: at least 4, or 8 for a verdict.")
    ] = 12,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Full budget (default: five times the last rung, or the largest in a table)."
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Train some architectures longer, to check the rungs of a study."""
    from neptune_nas.cli.console import console, fail_unless_any
    from neptune_nas.cli.summary import audit_table
    from neptune_nas.trust.audit import forecast_audit, run_audit

    search = measure.search()
    if dry_run:
        print_forecast(search, forecast_audit(search, architectures, epochs))
        return
    found = run_audit(search, architectures, epochs, print_step)
    with ctrl_c_held():
        if found.audit is None:
            print_line("Too few architectures could be trained in full to compare rankings.")
        else:
            console().print(audit_table(found.audit))
            print_line(f"{found.audit.verdict}.")
        print_line(f"Report: {found.folder / 'report.html'}")
    truths = found.full_budget.truths if found.full_budget else ()
    fail_unless_any((truth.score for truth in truths), "evaluation of the audit")

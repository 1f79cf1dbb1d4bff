"""The output files of a study: tables, reasons of failures, report, best architecture."""

from neptune_nas.files.atomic import write_file
from neptune_nas.models.architecture_file import save
from neptune_nas.report.page import render
from neptune_nas.report.tables import pareto_csv, trials_csv
from neptune_nas.study.export import export_trial
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import plural, redact


def write_outputs(study: Study, report: str | None = None) -> None:
    """Write the files of a study's folder besides its database.

    That is `trials.csv`; `failures.txt` where a trial failed; and, once a trial can be ranked,
    `pareto.csv`, `best.json` (the first of the ranking) and `report.html`, unless another `report`
    is given.
    """
    folder = study.folder
    write_file(folder / "trials.csv", trials_csv(study))
    if text := failures_text(study):
        write_file(folder / "failures.txt", text)
    if study.ranked:
        write_file(folder / "pareto.csv", pareto_csv(study))
        save(folder / "best.json", export_trial(study, study.best()))
        write_file(folder / "report.html", report or render([study]))


def failures_text(study: Study) -> str:
    """Return the reasons why trials failed, each with its trials and its first traceback.

    The reasons stand in the order in which they first occurred; empty where no trial failed.
    """
    by_reason: dict[str, list[Trial]] = {}
    for trial in study.trials:
        if trial.failure is not None:
            by_reason.setdefault(trial.failure, []).append(trial)
    return redact("\n".join(_paragraph(reason, trials) for reason, trials in by_reason.items()))


def _paragraph(reason: str, trials: list[Trial]) -> str:
    """Return a reason with its trials, and their first traceback if one was kept."""
    numbers = ", ".join(str(trial.number) for trial in trials)
    trace = next((trial.trace for trial in trials if trial.trace), "")
    return f"{plural(len(trials), 'trial')} {numbers}: {reason}\n{trace}"

"""The small results of a study: tables, the report, the best architecture."""

from neptune_nas.files.atomic import write_file
from neptune_nas.models.architecture_file import save
from neptune_nas.report.failures import failures_text
from neptune_nas.report.page import render
from neptune_nas.report.tables import pareto_csv, trials_csv
from neptune_nas.study.export import export_trial
from neptune_nas.study.study import Study


def write_outputs(study: Study, report: str | None = None) -> None:
    """Write what a study's folder holds beside its database.

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

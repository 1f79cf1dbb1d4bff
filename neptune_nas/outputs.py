"""The small results of a study: tables, the report, the best architecture."""

from neptune_nas.export import dumps, exported
from neptune_nas.files import write_file
from neptune_nas.report.page import render
from neptune_nas.report.ranking import best
from neptune_nas.report.tables import pareto_csv, trials_csv
from neptune_nas.study.results import Results


def write_outputs(results: Results, report: str | None = None) -> None:
    """Write what a study's folder holds beside its database.

    That is `trials.csv`, and, once a trial can be ranked, `pareto.csv`, `best.json` (the most
    efficient one) and `report.html`, unless another `report` is given.
    """
    folder = results.folder
    write_file(folder / "trials.csv", trials_csv(results))
    if results.ranked:
        write_file(folder / "pareto.csv", pareto_csv(results))
        write_file(folder / "best.json", dumps(exported(results, best(results, "efficiency"))))
        write_file(folder / "report.html", report or render([results]))

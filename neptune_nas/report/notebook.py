"""A study as a small page for the output of a notebook's cell: cards, front, link to the report."""

import os
from functools import partial
from pathlib import Path

from neptune_nas.architecture.description import describe
from neptune_nas.metrics.registry import COST, PARAMS
from neptune_nas.report.answer import answer_context
from neptune_nas.report.document import fill
from neptune_nas.report.objectives import further_objectives, value_text
from neptune_nas.report.payload import Order
from neptune_nas.report.summary import summary
from neptune_nas.report.verdict import cautions, recommendation, verdict
from neptune_nas.study.export import next_command
from neptune_nas.study.ranking import ranking_name
from neptune_nas.study.study import Study
from neptune_nas.text import redact

_ROWS = 10  # of the front; the report has all


def study_page(study: Study) -> str:
    """Return a study as HTML to put inside another page, whose colours it takes.

    This is what a notebook shows of a study. It loads nothing and runs nothing.
    """
    question, front = study.settings.question, study.pareto()
    order = Order(ranking_name(question, None))
    columns = (question.main, *further_objectives(question, (COST, PARAMS)), COST, PARAMS)
    rows = [
        (trial.number, [value_text(each, trial) for each in columns], describe(trial.architecture))
        for trial in reversed(front[-_ROWS:])
    ]
    said = (*cautions(study), redact(recommendation(study)), verdict(study))
    context = {
        **answer_context([study], order),
        "next_command": partial(next_command, study),
        "for_terminal": not study.settings.facts.code,  # no command finds a cell's classes
        "name": study.settings.name,
        "summary": summary(study, several=False),
        "said": [text for text in said if text],
        "heads": [each.title for each in columns],
        "rows": rows,
        "more": len(front) - len(rows),
        "report": _link(study.folder / "report.html"),
    }
    return str(fill("notebook.html", context))


def _link(file: Path) -> str:
    """Return a file's path from this folder, where a notebook's links begin; empty if missing."""
    return Path(os.path.relpath(file)).as_posix() if file.is_file() else ""

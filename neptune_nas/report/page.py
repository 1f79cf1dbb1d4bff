"""The report: one HTML file that works offline and opens with the answer."""

from collections.abc import Sequence
from html import escape
from shlex import quote
from string import Template

import plotly.graph_objects as go

from neptune_nas.redact import redact
from neptune_nas.report.comparison import check_comparable, with_common_reference
from neptune_nas.report.document import document, web
from neptune_nas.report.effects import Effects, effects_figure, importance_figure, measure_effects
from neptune_nas.report.figures import FIGURES, pareto
from neptune_nas.report.hand_designed import sections
from neptune_nas.report.payload import Order, payload
from neptune_nas.report.sections import (
    admitted_note,
    answer,
    beaten,
    decisions,
    ledger,
    reference_note,
    summary,
    trust,
)
from neptune_nas.study.ranking import formula, ranked_as
from neptune_nas.study.study import Study

SECTIONS = {
    "answer": "Answer",
    "front": "Front",
    "ranking": "Ranking",
    "search": "Search",
    "decisions": "Decisions",
    "trust": "Trust",
    "ledger": "Ledger",
}
ABOUT_ALL = ("hypervolume", "hypervolume-seconds", "timeline", "rungs")


def render(
    studies: Sequence[Study],
    *,
    min_accuracy: float | None = None,
    rank_by: str | None = None,
    force: bool = False,
) -> str:
    """The report of one study, or of several over each other, as the text of an HTML file.

    Raises `OptionError` for an unknown ranking, and `StudyError` if the studies' scores do not
    compare, unless `force`: then the page says so.
    """
    by = ranked_as(studies[0].settings.question, rank_by)
    warnings = check_comparable(studies, force)
    studies = with_common_reference(studies)
    order = Order(by, min_accuracy)
    found = measure_effects(studies[0]) if len(studies) == 1 else None
    commands = [quote(redact(str(study.folder))) for study in studies]
    title = " and ".join(study.settings.name for study in studies)
    body = Template(web("page.html")).substitute(
        heading=escape(title),
        lead=summary(studies),
        warnings="".join(f'<p class="warning">{escape(f"{text}.")}</p>' for text in warnings),
        answer=answer(studies, commands, order),
        beaten=beaten(studies[0]),
        compared=sections(studies),
        rank_by=escape(by),
        formula=escape(formula(studies[0].settings.question, by)),
        admitted=admitted_note(studies, order),
        reference=reference_note(studies[0]),
        decisions=decisions(studies[0], found, len(studies) > 1),
        trust=trust(studies),
        ledger=ledger(studies),
        footer=escape(footer(studies[0])),
    )
    data = payload(studies, commands, order, page_figures(studies, found))
    return document(title, SECTIONS, body, data, ("page",))


def page_figures(studies: Sequence[Study], found: Effects | None) -> dict[str, go.Figure]:
    """The page's figures by the names that its elements carry."""
    figures = {name: FIGURES[name](studies) for name in ABOUT_ALL}
    figures["pareto"] = pareto(studies, text=False)
    if found:
        figures["importance"] = importance_figure(found)
        figures["effects"] = effects_figure(studies[0], found)
    return figures


def footer(study: Study) -> str:
    """What made this page."""
    version = study.settings.facts.versions.get("neptune-nas", "")
    return f"Made by neptune-nas {version}. This file holds all it shows and loads nothing."

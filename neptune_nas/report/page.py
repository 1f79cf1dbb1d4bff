"""The report: one HTML file that works offline and opens with the answer."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import plotly.graph_objects as go

from neptune_nas.architecture.description import LEGEND
from neptune_nas.architecture.records import Architecture
from neptune_nas.metrics.registry import COST
from neptune_nas.report.answer import answer_context
from neptune_nas.report.checklist import MARKS, checklist
from neptune_nas.report.comparison import check_comparable, with_common_reference
from neptune_nas.report.document import document
from neptune_nas.report.effects import Effects, measure_effects
from neptune_nas.report.effects_figures import effects_figure, importance_figure
from neptune_nas.report.exports import export_tables
from neptune_nas.report.figures import FIGURES
from neptune_nas.report.pareto_figure import pareto_figure
from neptune_nas.report.payload import Order, payload
from neptune_nas.report.references import reference_tables
from neptune_nas.report.summary import (
    admitted_note,
    beaten_note,
    brackets_note,
    corner_note,
    decisions_note,
    ledger_items,
    summary,
)
from neptune_nas.report.verdict import cautions, recommendation, verdict
from neptune_nas.study.export import next_command
from neptune_nas.study.ranking import formula, ranking_name
from neptune_nas.study.study import Study
from neptune_nas.text import redact

_SECTIONS = {
    "answer": "Answer",
    "front": "Front",
    "ranking": "Ranking",
    "search": "Search",
    "decisions": "Decisions",
    "trust": "Trust",
    "ledger": "Ledger",
}
_ABOUT_ALL = ("hypervolume", "hypervolume-seconds", "timeline", "rungs")


def render(
    studies: Sequence[Study],
    *,
    min_accuracy: float | None = None,
    rank_by: str | None = None,
    force: bool = False,
) -> str:
    """Return the report of one study, or of several overlaid, as the text of an HTML file.

    Raises `OptionError` for an unknown ranking, and `StudyError` if the studies' scores do not
    compare, unless `force`: then the page says so.
    """
    order = Order(ranking_name(studies[0].settings.question, rank_by), min_accuracy)
    warnings = check_comparable(studies, force)
    studies = with_common_reference(studies)
    several = len(studies) > 1
    found = None if several else measure_effects(studies[0])
    context = {
        "warnings": [
            *(f"{text}." for text in warnings),
            *(text for study in studies for text in cautions(study)),
        ],
        "choices": [redact(text) for study in studies for text in study.settings.facts.choices],
        "verdicts": [text for study in studies for text in _verdict_texts(study, several)],
        "main": studies[0].settings.question.main.name,
        "cost": COST.name,
        **answer_context(studies, order),
        "next_commands": [partial(next_command, study) for study in studies],
        **_study_notes(studies, order, found),
        "references": reference_tables(studies),
        "exports": export_tables(studies),
        "checklists": [(study.settings.name, _check_items(study)) for study in studies],
        "ledgers": [(study.settings.name, ledger_items(study)) for study in studies],
        "legend": LEGEND if _is_neptune(studies) else "",
        "version": studies[0].settings.facts.versions.get("neptune-nas", ""),
    }
    data = payload(studies, order, _page_figures(studies, found))
    title = " and ".join(study.settings.name for study in studies)
    return document("page", title, _SECTIONS, data, context)


def _verdict_texts(study: Study, several: bool) -> Iterator[str]:
    """Yield the recommendation and the verdict, with the study's name if there are `several`."""
    name = f"{study.settings.name}: " if several else ""
    yield from (f"{name}{redact(text)}" for text in (recommendation(study), verdict(study)) if text)


def _is_neptune(studies: Sequence[Study]) -> bool:
    """Return whether the trials are Neptune architectures and not users' records."""
    return any(isinstance(t.architecture, Architecture) for study in studies for t in study.trials)


def _study_notes(studies: Sequence[Study], order: Order, found: Effects | None) -> dict[str, Any]:
    """Return the sentences of the page, by name."""
    first, several = studies[0], len(studies) > 1
    return {
        "summaries": [summary(study, several) for study in studies],
        "beaten": beaten_note(first),
        "rank_by": order.by,
        "formula": formula(first.settings.question, order.by),
        "admitted": admitted_note(studies, order),
        "brackets": brackets_note(studies),
        "corner": corner_note(first),
        "decisions": decisions_note(first, found, several),
    }


def _check_items(study: Study) -> list[dict[str, str]]:
    """Return the honest-evaluation checklist of a study."""
    found = ((check, *MARKS[check.holds]) for check in checklist(study))
    return [
        {
            "kind": kind,
            "mark": mark,
            "word": word,
            "claim": check.claim,
            "evidence": redact(check.evidence),
        }
        for check, kind, mark, word in found
    ]


def _page_figures(studies: Sequence[Study], found: Effects | None) -> dict[str, go.Figure]:
    """Return the page's figures by the ids of their elements."""
    figures = {name: FIGURES[name](studies) for name in _ABOUT_ALL}
    figures["pareto"] = pareto_figure(studies, text=False)
    if found:
        figures["importance"] = importance_figure(studies[0], found)
        figures["effects"] = effects_figure(studies[0], found)
    return figures

"""The figures of a search's progress: hypervolume, timeline of workers, survivors."""

from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from neptune_nas.report.progress import Span, corners, progress, spans, survival
from neptune_nas.report.style import STUDIES, figure
from neptune_nas.study.study import Study


def hypervolume_figure(studies: Sequence[Study], over: str = "trials") -> go.Figure:
    """Draw the share of the reference box that the front dominates, over trials or over seconds."""
    titles = {"trials": "trials", "seconds": "seconds of evaluation"}
    fig = figure(titles[over], "hypervolume", height=340)
    for i, study in enumerate(studies):
        steps = corners(progress(study))
        fig.add_scatter(
            x=[getattr(step, over) for step in steps],
            y=[step.hypervolume for step in steps],
            name=escape(study.settings.name),
            mode="lines",
            line={"color": STUDIES[i % len(STUDIES)], "width": 2, "shape": "hv"},
            hovertemplate="%{x:.4s}: %{y:.4f}<extra></extra>",
        )
    fig.update_layout(showlegend=len(studies) > 1)
    return fig


def timeline_figure(studies: Sequence[Study]) -> go.Figure:
    """Draw the timeline: which worker evaluated at which rung, and when."""
    fig = figure("seconds since the search began", "worker")
    lanes: dict[str, None] = {}
    for k, study in enumerate(studies):
        prefix = f"{escape(study.settings.name)} " if len(studies) > 1 else ""
        found, rungs = spans(study), study.settings.question.rungs
        for i, rung in enumerate(rungs):
            bars = _rung_bars([span for span in found if span.fidelity == rung], prefix)
            lanes |= dict.fromkeys(filter(None, bars["y"]))
            color, strength = STUDIES[k % len(STUDIES)], 0.25 + 0.65 * (i + 1) / len(rungs)
            line = {"width": 14, "color": color}
            name = study.settings.question.budget(rung)
            fig.add_scatter(**bars, name=name, line=line, opacity=strength, showlegend=k == 0)
    fig.update_layout(height=150 + 34 * max(len(lanes), 1))
    fig.update_yaxes(type="category", showgrid=False)
    return fig


def _rung_bars(bars: Sequence[Span], prefix: str) -> dict[str, Any]:
    """Return spans as lines in the lanes of their workers."""
    return {
        "x": [x for span in bars for x in (span.start, span.end, None)],
        "y": [y for span in bars for y in (*[f"{prefix}{span.worker}"] * 2, None)],
        "mode": "lines",
        "hovertemplate": "worker %{y}, %{x:.1f} s<extra></extra>",
    }


def rungs_figure(studies: Sequence[Study]) -> go.Figure:
    """Draw how many trials were scored at each rung, and how many reached the front."""
    fig = figure("trials", "")
    for i, study in enumerate(studies):
        counts = survival(study)
        fig.add_bar(
            x=[count for _, count in counts],
            y=[name for name, _ in counts],
            text=[f"{count:,}" for _, count in counts],
            textposition="auto",
            orientation="h",
            name=escape(study.settings.name),
            marker={"color": STUDIES[i % len(STUDIES)]},
            hovertemplate="%{y}: %{x}<extra></extra>",
        )
    rows = max(len(survival(study)) for study in studies)
    fig.update_layout(height=110 + 34 * rows * len(studies), showlegend=len(studies) > 1)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig

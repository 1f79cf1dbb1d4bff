"""The figures of effects: the importance of each decision, and the effect of each option."""

from html import escape
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from neptune_nas.report.effects import Effect, Effects, effects_of
from neptune_nas.report.style import ACCENT, GREY, WARM, figure
from neptune_nas.study.study import Study
from neptune_nas.text import counted

_SHOWN_DECISIONS = 12


def importance_figure(study: Study, found: Effects) -> go.Figure:
    """Draw the most important decisions, for the main score and for cost."""
    shown = found.importances[:_SHOWN_DECISIONS]
    fig = figure("R² lost when the decision is shuffled", "")
    bars = (
        (study.settings.question.main.title, [importance.score for importance in shown], ACCENT),
        ("cost", [importance.cost for importance in shown], GREY),
    )
    for title, drops, color in bars:
        fig.add_bar(
            x=[max(drop, 0.0) for drop in drops],
            y=list(range(len(shown))),
            customdata=[escape(importance.path) for importance in shown],
            orientation="h",
            name=f"for {escape(title)}",
            marker={"color": color},
            hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
        )
    for i, importance in enumerate(shown):
        _add_heading(fig, importance.path, i - 0.44)
    fig.update_xaxes(rangemode="tozero")
    fig.update_yaxes(range=[len(shown) - 0.4, -0.75], showgrid=False, showticklabels=False)
    fig.update_layout(height=130 + 44 * max(len(shown), 1), barmode="group", bargap=0.56)
    return fig


def _add_heading(fig: go.Figure, text: str, y: float, shift: int = 0) -> None:
    """Add a line of text across the figure, where an axis label would be too long for a phone."""
    fig.add_annotation(
        text=escape(text),
        x=0,
        xref="paper",
        xanchor="left",
        xshift=shift,
        y=y,
        showarrow=False,
        font={"size": 12},
    )


def effects_figure(study: Study, found: Effects, decisions: int = 6) -> go.Figure:
    """Draw the mean effect on accuracy and cost of each option of the most important decisions."""
    paths = [importance.path for importance in found.importances[:decisions]]
    groups = [effects_of(study, path) for path in paths]
    base = figure("", "")
    fig: Any = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.05)
    fig.update_layout(base.layout)
    style = base.layout.xaxis.to_plotly_json() | {
        "zeroline": True,
        "zerolinecolor": GREY,
        "zerolinewidth": 1,
    }
    fig.update_xaxes(style, nticks=4, tickangle=0)
    rows: list[tuple[int, Effect]] = []
    y = 0
    for path, effects in zip(paths, groups, strict=True):
        _add_heading(fig, path, y, shift=-50)  # the margin has no label in this row
        rows += [(y + 1 + i, effect) for i, effect in enumerate(effects)]
        y += len(effects) + 1
    _add_effects(fig, rows, escape(study.settings.question.main.title))
    ticks = {"tickvals": [row for row, _ in rows], "ticktext": [_label(e.option) for _, e in rows]}
    fig.update_yaxes(
        range=[y - 0.4, -0.6], automargin=True, showgrid=False, zeroline=False, **ticks
    )
    fig.update_layout(height=110 + 28 * max(y, 1), showlegend=False)
    return fig


def _label(option: str) -> str:
    """Wrap an option into at most two short lines, so that the panels fit on a phone."""
    lines = wrap(option.replace("(", "( "), 17, max_lines=2, placeholder="…")
    return escape("\n".join(lines)).replace("( ", "(").replace("\n", "<br>")


def _add_effects(fig: Any, rows: list[tuple[int, Effect]], main: str) -> None:
    """Add the dots of both panels, and what the panels show."""
    effects = [effect for _, effect in rows]
    dots = {
        "y": [y for y, _ in rows],
        "mode": "markers",
        "customdata": [
            [escape(f"{e.path} = {e.option}"), counted(e.trials, "trial")] for e in effects
        ],
    }
    bars = {"array": [196 * effect.error for effect in effects], "thickness": 1.2, "width": 0}
    panels: tuple[tuple[str, str, dict[str, Any]], ...] = (
        (f"{main}, points", ACCENT, {"x": [100 * e.score for e in effects], "error_x": bars}),
        ("cost, %", WARM, {"x": [100 * (e.cost - 1) for e in effects]}),
    )
    for column, (name, color, values) in enumerate(panels, start=1):
        hover = "%{customdata[0]}: %{x:+.2f} " + name.split(", ")[1]
        fig.add_scatter(
            **dots,
            **values,
            name=name,
            marker={"color": color, "size": 9},
            hovertemplate=f"{hover}, %{{customdata[1]}}<extra></extra>",
            row=1,
            col=column,
        )
        fig.update_xaxes(title={"text": name.replace(" ", "<br>")}, row=1, col=column)

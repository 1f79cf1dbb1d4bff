"""The style of the figures: one accent and greys, legible on light and dark backgrounds."""

from typing import Any

import plotly.graph_objects as go

ACCENT = "#2a7ab9"
WARM = "#d9822b"  # what is set against the accent: references, baselines
GREY = "#8a94a0"
STUDIES = (ACCENT, WARM, "#5b9a4b", "#a45bb0", "#c2504d", "#4aa3a2", "#8c6d46", "#6f7fc4")
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_GRID = "rgba(138, 148, 160, 0.22)"

WEBGL_ABOVE = 1_000  # points; below, SVG prints more sharply


def figure(x: str, y: str, height: int = 420) -> go.Figure:
    """Return an empty figure with titled axes; the page recolours its text in dark mode."""
    axis = {"gridcolor": _GRID, "zeroline": False, "linecolor": _GRID, "automargin": True}
    title = {"standoff": 10, "font": {"size": 13}}
    return go.Figure(
        layout={
            "template": "none",
            "height": height,
            "margin": {"l": 56, "r": 16, "t": 16, "b": 48},
            "font": {"family": _FONT, "size": 13, "color": "#30363d"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": ACCENT},
            "hoverlabel": {"font": {"family": _FONT, "size": 12}, "align": "left"},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "xaxis": {**axis, "title": {**title, "text": x}},
            "yaxis": {**axis, "title": {**title, "text": y}},
        }
    )


def scatter(points: int) -> Any:
    """Return the trace class, SVG or WebGL, that draws this many points smoothly."""
    return go.Scattergl if points > WEBGL_ABOVE else go.Scatter

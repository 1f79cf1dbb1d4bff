"""The figure of the front: accuracy over cost, with baselines and references."""

from collections.abc import Sequence
from html import escape
from math import inf, isnan
from typing import Any

import numpy as np
import plotly.graph_objects as go

from neptune_nas.architecture.description import describe
from neptune_nas.metrics.registry import PARAMS, Metric
from neptune_nas.report.baselines import mean_random
from neptune_nas.report.style import ACCENT, GREY, STUDIES, WARM, figure, scatter
from neptune_nas.study.measures import cost_axis, main_score
from neptune_nas.study.objectives import value_of
from neptune_nas.study.references import Reference
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted

_FOCUS = 0.05  # the share of accuracies that may lie below the first view
_WIDE = 2  # decades of costs; above, a phone has no room for ticks in between
_CROWD = 500  # points that hide each other unless they are fainter
_SCORE = "%{yaxis.title.text} %{y:.4f}"  # on hover
_MARKS = ("triangle-up", "square", "cross", "star")
_SIGNS = ("diamond", "diamond-open", "pentagon", "star-diamond", "hexagram", "bowtie")
_DASHES = ("dash", "dot", "dashdot")


def pareto_figure(studies: Sequence[Study], text: bool = True) -> go.Figure:
    """Draw accuracy over cost, with a line through the front; a single study by rung.

    Without `text`, the hover text has no architectures; the page adds them from its own data.
    """
    settings = studies[0].settings
    axis = cost_axis(settings.question)
    kind = f" ({settings.timed_as(axis)})" if settings.timed_as(axis) else ""
    title = f"validation {settings.question.main.title}"
    fig = figure(f"{_axis_title(axis)}{kind}", title, height=520)
    fig.update_xaxes(type="log", tickformat=f"~{_number_type(axis)}", dtick="D2")
    fig.update_yaxes(tickformat=".0%")
    fig.update_layout(hovermode="closest", dragmode="select")
    # At the bottom, where the mode bar does not cover it on a phone.
    fig.update_layout(legend={"yref": "container", "y": 0, "yanchor": "bottom"}, margin_t=36)
    kind, several, offset = scatter(sum(len(r.trials) for r in studies)), len(studies) > 1, 0
    for i, study in enumerate(studies):
        color = STUDIES[i % len(STUDIES)]
        places = {trial.number: offset + k for k, trial in enumerate(study.trials)}
        layers = [_single_layer(study, color)] if several else _rung_layers(study)
        for name, trials, marker in layers:
            fig.add_trace(kind(**_points(trials, places, axis, text), name=name, marker=marker))
        name = f"front of {escape(study.settings.name)}" if several else "Pareto front"
        front = sorted(study.pareto(), key=lambda trial: value_of(axis, trial))
        # Of the same kind as the points: WebGL is drawn above all that is not.
        fig.add_trace(kind(_front_line(name, color, _points(front, places, axis, text))))
        fig.add_traces(list(map(kind, _baselines(study, axis))))
        offset += len(study.trials)
    references = {each.name: each for r in studies for each in r.references if each.seed_scores}
    known = [each for each in references.values() if axis.name in each.costs]
    known.sort(key=lambda each: each.costs[axis.name])
    fig.add_traces([kind(_reference(each, axis, i)) for i, each in enumerate(known)])
    _fit_costs(fig)
    _focus(fig)
    _draw_limits(fig, studies, axis)
    return fig


def _draw_limits(fig: go.Figure, studies: Sequence[Study], axis: Metric) -> None:
    """Draw the studies' limits on the cost of the axis as vertical lines, named in the legend."""
    limits = {each for study in studies for each in study.settings.question.limits}
    for i, each in enumerate(sorted({each.limit for each in limits if each.name == axis.name})):
        line = {"color": GREY, "width": 1.5, "dash": _DASHES[i % len(_DASHES)]}
        fig.add_vline(x=each, line=line, name=f"limit {axis.text(each)}", showlegend=True)


def _axis_title(cost: Metric) -> str:
    """Return the title of an axis of costs."""
    if cost == PARAMS:
        return cost.title
    return f"{cost.title} of one image{f' in {cost.unit}' if cost.unit else ''}"


def _number_type(axis: Metric) -> str:
    """Return how plotly writes a cost: a count with an SI prefix, a time in ms without one."""
    return "r" if axis.unit == "ms" else "s"


def _fit_costs(fig: go.Figure) -> None:
    """Set ticks that do not run into each other."""
    logs = np.log10([x for trace in fig.data for x in trace.x if 0 < x < inf])
    if logs.size and np.ptp(logs) > _WIDE:
        fig.update_xaxes(dtick=1)


def _focus(fig: go.Figure) -> None:
    """Limit the first view to accuracies above the 5th percentile, and count those below."""
    found = np.array([value for trace in fig.data for value in trace.y], dtype=np.float64)
    if not len(found):
        fig.update_yaxes(range=[0, 1])
        return
    ends = [end for trace in fig.data for end in np.add(trace.y, trace.error_y.array or 0)]
    low, high = float(np.quantile(found, _FOCUS)), float(max(ends))
    margin = max(high - low, 0.01) * 0.08
    below = int((found < low - margin).sum())
    fig.update_yaxes(range=[low - margin, high + margin])
    if below:
        hidden = f"({counted(below, 'point')} below: autoscale shows all)"
        fig.update_xaxes(title_text=f"{fig.layout.xaxis.title.text}<br>{hidden}")


_Layer = tuple[str, list[Trial], dict[str, Any]]


def _rung_layers(study: Study) -> list[_Layer]:
    """Return a layer of trials for each highest rung, the last rung in the accent colour."""
    rungs = [rung for rung in study.settings.question.rungs if rung]  # a proxy is no accuracy
    layers: list[_Layer] = []
    for i, rung in enumerate(rungs):
        at = [t for t in study.trials if t.score is not None and t.score.fidelity == rung]
        last = i == len(rungs) - 1
        marker = {
            "color": ACCENT if last else GREY,
            "size": 7 if last else 5,
            "opacity": (0.7 if len(at) < _CROWD else 0.4) if last else 0.4 + 0.3 * i / len(rungs),
        }
        layers.append((f"after {study.settings.question.budget(rung)}", at, marker))
    return layers


def _single_layer(study: Study, color: str) -> _Layer:
    """Return the trials at the last rung, in one colour."""
    marker = {"color": color, "size": 6, "opacity": 0.35}
    return escape(study.settings.name), list(study.ranked), marker


def _points(
    trials: Sequence[Trial], places: dict[int, int], axis: Metric, text: bool
) -> dict[str, Any]:
    """Return trials as points; `customdata` is their index among the trials of all studies."""
    return {
        "x": np.array([value_of(axis, trial) for trial in trials]),
        "y": np.array([main_score(trial) for trial in trials]),
        "customdata": [places[trial.number] for trial in trials],
        "text": [_hover_text(trial) for trial in trials] if text else None,
        "mode": "markers",
        "hovertemplate": (
            f"<b>%{{text}}</b><br>{_SCORE}, cost %{{x:.4{_number_type(axis)}}}<extra></extra>"
        ),
    }


def _hover_text(trial: Trial) -> str:
    """Return a trial's number and its architecture, one line per stage."""
    stages = escape(describe(trial.architecture)).replace(" | ", "<br>")
    return f"trial {trial.number}</b><br>{stages}<b>"


def _front_line(name: str, color: str, stair: dict[str, Any]) -> dict[str, Any]:
    """Return the front as a step line: the best accuracy at each cost."""
    return {
        **stair,
        "name": name,
        "mode": "lines+markers",
        "line": {"color": color, "width": 2, "shape": "hv"},
        "marker": {"size": 9, "color": color, "line": {"color": "#ffffff", "width": 1.5}},
    }


def _reference(network: Reference, axis: Metric, place: int) -> dict[str, Any]:
    """Return the point of a hand-designed network, with the deviation between its seeds."""
    return {
        "x": [network.costs[axis.name]],
        "y": [network.score],
        "error_y": {
            "array": [0.0 if isnan(network.deviation) else network.deviation],
            "color": WARM,
            "thickness": 1.5,
            "width": 4,
        },
        "text": [escape(network.name)],
        "name": escape(network.name),
        "mode": "markers",
        "marker": {"symbol": _SIGNS[place % len(_SIGNS)], "size": 11, "color": WARM},
        "hovertemplate": (
            f"<b>%{{text}}</b><br>{_SCORE}, cost %{{x:.4{_number_type(axis)}}}<extra></extra>"
        ),
    }


def _baselines(study: Study, axis: Metric) -> list[dict[str, Any]]:
    """Return the trials of other samplers at an equal budget."""
    return [
        {
            "x": [value_of(axis, trial) for trial in trials if trial.score],
            "y": [main_score(trial) for trial in trials if trial.score],
            "name": f"baseline: {escape(name)}",
            "mode": "markers",
            "marker": {"symbol": _MARKS[i % 4], "size": 6, "color": WARM, "opacity": 0.5},
            "hovertemplate": f"{_SCORE}<br>%{{x:.4{_number_type(axis)}}}<extra></extra>",
        }
        for i, (name, trials) in enumerate(study.baselines.items())
    ] + _random_mean(study, axis)


def _random_mean(study: Study, axis: Metric) -> list[dict[str, Any]]:
    """Return the mean of the random baseline: the score to expect without a search."""
    found = mean_random(study)
    if found is None:
        return []
    return [
        {
            "x": [found[1][axis.name]],
            "y": [found[0]],
            "name": "mean random architecture",
            "mode": "markers",
            "marker": {"symbol": "x", "size": 12, "color": WARM},
            "hovertemplate": (f"mean {_SCORE}<br>%{{x:.4{_number_type(axis)}}}<extra></extra>"),
        }
    ]

"""The learning curves of a training: one HTML file that works offline."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from markupsafe import escape

from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.metrics.registry import COST, PARAMS, metric
from neptune_nas.report.document import document
from neptune_nas.report.style import STUDIES, figure
from neptune_nas.retrain.folder import TrainFolder
from neptune_nas.retrain.history import read_history
from neptune_nas.retrain.metrics import Metrics, SeedMetrics
from neptune_nas.retrain.terms import Terms
from neptune_nas.tasks.task import Task
from neptune_nas.text import counted
from neptune_nas.training.resumable_loop import ChosenWeights, choose
from neptune_nas.training.state import Epoch

_Histories = Mapping[int, Sequence[Epoch]]
"""The epochs of each seed that has begun."""

_DASHES = {"ema": "solid", "raw": "dot"}
_FEW = 10  # epochs, each of which gets a tick
_BEGINNING = 0.25  # of the epochs, which the first view of accuracies may leave out
_COLUMNS = ("seed", "epochs", "kept from", "weights", "validation", "test")


def write_curves(
    folder: TrainFolder,
    seeds: Iterable[int],
    name: str,
    terms: Terms,
    metrics: Metrics | None,
    *,
    task: Task,
) -> None:
    """Write the page with the curves of those of `seeds` that have a history, if any."""
    files = {seed: folder.seed(seed).history for seed in sorted(seeds)}
    found = {seed: file for seed, file in files.items() if file.exists()}
    if histories := {seed: read_history(file, task.metrics) for seed, file in found.items()}:
        write_file(folder.curves, render_curves(name, terms, histories, metrics, task))


def render_curves(
    name: str, terms: Terms, histories: _Histories, metrics: Metrics | None, task: Task
) -> str:
    """Return the page of a network's training; `metrics` are None until the test split is read."""
    main = metric(task.metrics[0])
    figures = {"scores": score_figure(histories, task), "loss": loss_figure(histories)}
    sections = {"scores": main.title.capitalize(), "loss": "Loss", "seeds": "Seeds"}
    smoothing = terms.recipe.get("label_smoothing")
    further = (f"test {metric(name).title}" for name in task.metrics[1:])
    context = {
        "lead": lead(terms, histories, metrics),
        "metric": main.title,
        "smoothing": f"{smoothing:g}" if smoothing else "",
        "heads": (*_COLUMNS, *further),
        "seeds": _seed_rows(histories, metrics, task),
    }
    data = json.dumps({name: json.loads(fig.to_json()) for name, fig in figures.items()})
    return document("curves", name, sections, data, context)


def shows_metrics(file: Path, metrics: Metrics) -> bool:
    """Return whether the page of `render_curves` in a file shows these metrics."""
    try:
        return escape(lead(metrics.terms, {}, metrics)) in read_file(file)
    except FileFormatError:  # missing or damaged
        return False


def lead(terms: Terms, histories: _Histories, metrics: Metrics | None) -> str:
    """Return the result in one or two sentences."""
    what = f"{counted(terms.epochs, 'epoch')} on {terms.data}"
    if terms.inherited is not None:
        what += f" from {terms.inherited.file} ({terms.inherited.text})"
    if metrics is None:
        over = sum(len(history) == terms.epochs for history in histories.values())
        return (
            f"{what}; {over} of {counted(len(histories), 'seed')} trained, the test split not read."
        )
    seeds = counted(len(metrics.seeds), "seed")
    main, costs = metric(metrics.names[0]), metrics.costs
    return (
        f"Test {main.title} {metrics.spread('test', main.name)} over {seeds} after {what}, at "
        f"{COST.text(costs[COST.name])} {COST.title} and "
        f"{PARAMS.text(costs[PARAMS.name])} {PARAMS.title}."
    )


def score_figure(histories: _Histories, task: Task) -> go.Figure:
    """Draw the main metric on the validation split by epoch, marking each seed's kept weights."""
    main = metric(task.metrics[0])
    fig = _over_epochs(histories, f"validation {main.title}", height=420)
    fig.update_yaxes(
        tickformat=".1%" if main.unit == "share" else None, range=_first_view(histories, main.name)
    )
    for place, (seed, history) in enumerate(histories.items()):
        color = STUDIES[place % len(STUDIES)]
        ema, raw = [e.ema_values for e in history], [e.values for e in history]
        for kind, measured in (("ema", ema), ("raw", raw)):
            fig.add_scatter(
                **line(history, [values.get(main.name) for values in measured], color),
                name=f"seed {seed}",
                legendgroup=f"seed {seed}",
                showlegend=kind == "ema",
                line_dash=_DASHES[kind],
                opacity=1 if kind == "ema" else 0.6,
                hovertemplate=f"seed {seed}, {kind}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            )
        if history:
            fig.add_scatter(**star(choose(history, task.metrics), main.name, seed, color))
    return fig


def loss_figure(histories: _Histories) -> go.Figure:
    """Draw the training loss by epoch."""
    fig = _over_epochs(histories, "training loss (nats)", height=340)
    for place, (seed, history) in enumerate(histories.items()):
        fig.add_scatter(
            **line(history, [e.loss for e in history], STUDIES[place % len(STUDIES)]),
            name=f"seed {seed}",
            hovertemplate=f"seed {seed}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )
    fig.update_layout(showlegend=len(histories) > 1)
    return fig


def _over_epochs(histories: _Histories, y: str, height: int) -> go.Figure:
    """Return an empty figure as wide as the longest history."""
    most = max(map(len, histories.values()))
    margin = max(0.02 * most, 0.1)
    fig = figure("epoch", y, height)
    fig.update_xaxes(range=[1 - margin, most + margin], rangemode="normal")
    if most < _FEW:
        fig.update_xaxes(dtick=1)
    return fig


def _first_view(histories: _Histories, name: str) -> tuple[float, float]:
    """Return a metric's range without the first epochs, which would squeeze the others."""
    found = [
        values[name]
        for history in histories.values()
        for epoch in history[int(_BEGINNING * len(history)) :]
        for values in (epoch.values, epoch.ema_values)
        if values
    ]
    low, high = min(found), max(found)
    margin = max(0.06 * (high - low), 0.002)
    return low - margin, high + margin


def line(history: Sequence[Epoch], values: Sequence[float | None], color: str) -> dict[str, Any]:
    """Return the values of the epochs as a line; as a point if there is only one epoch."""
    return {
        "x": [epoch.number for epoch in history],
        "y": [*values],
        "mode": "lines" if len(history) > 1 else "markers",
        "line_color": color,
        "line_width": 2,
    }


def star(choice: ChosenWeights, name: str, seed: int, color: str) -> dict[str, Any]:
    """Return the mark of a seed's kept weights, at their value of a metric."""
    return {
        "x": [choice.epoch],
        "y": [choice.values[name]],
        "mode": "markers",
        "marker": {"symbol": "star", "size": 13, "color": color},
        "legendgroup": f"seed {seed}",
        "showlegend": False,
        "hovertemplate": f"seed {seed} kept: {choice.weights}, epoch %{{x}}, %{{y:.4f}}"
        "<extra></extra>",
    }


def _seed_rows(
    histories: _Histories, metrics: Metrics | None, task: Task
) -> list[tuple[object, ...]]:
    """Return the row of each seed that has begun."""
    measured = {each.seed: each for each in metrics.seeds} if metrics else {}
    return [
        _seed_cells(seed, history, measured.get(seed), task)
        for seed, history in histories.items()
        if history
    ]


def _seed_cells(
    seed: int, history: Sequence[Epoch], measured: SeedMetrics | None, task: Task
) -> tuple[object, ...]:
    """Return the cells of one seed: those of `_COLUMNS`, then each further metric's test score."""
    choice = choose(history, task.metrics)
    test = (f"{measured.test[name]:.4f}" if measured else "" for name in task.metrics)
    validation = f"{choice.values[task.metrics[0]]:.4f}"
    return (seed, len(history), f"epoch {choice.epoch}", choice.weights, validation, *test)

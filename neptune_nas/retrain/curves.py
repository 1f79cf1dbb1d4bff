"""The learning curves of a training: one HTML file that works offline."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from markupsafe import escape

from neptune_nas.architecture.description import short
from neptune_nas.report.document import document
from neptune_nas.report.style import STUDIES, figure
from neptune_nas.retrain.metrics import Metrics, SeedMetrics
from neptune_nas.retrain.terms import Terms
from neptune_nas.text import counted
from neptune_nas.training.choice import Choice, choose
from neptune_nas.training.state import Epoch

Histories = Mapping[int, Sequence[Epoch]]
"""What happened, epoch by epoch, in each seed that has begun."""

SECTIONS = {"accuracy": "Accuracy", "loss": "Loss", "seeds": "Seeds"}
DASHES = {"ema": "solid", "raw": "dot"}
FEW = 10  # epochs, each of which gets a tick
BEGINNING = 0.25  # of the epochs, which the first view of accuracies may leave out
COLUMNS = ("seed", "epochs", "kept from", "weights", "validation", "test", "test loss")


def render_curves(name: str, terms: Terms, histories: Histories, metrics: Metrics | None) -> str:
    """Return the page of a network's training; `metrics`, once the test split was read."""
    figures = {"accuracy": accuracy_figure(histories), "loss": loss_figure(histories)}
    smoothing = terms.recipe.get("label_smoothing")
    context = {
        "lead": lead(terms, histories, metrics),
        "smoothing": f"{smoothing:g}" if smoothing else "",
        "heads": COLUMNS,
        "seeds": seed_rows(histories, metrics),
    }
    data = json.dumps({name: json.loads(fig.to_json()) for name, fig in figures.items()})
    return document("curves", name, SECTIONS, data, context)


def tells(page: str, metrics: Metrics) -> bool:
    """Return whether a page, as `render_curves` makes it, tells these metrics."""
    return escape(lead(metrics.terms, {}, metrics)) in page


def lead(terms: Terms, histories: Histories, metrics: Metrics | None) -> str:
    """Return the outcome in a sentence or two."""
    what = f"{counted(terms.epochs, 'epoch')} on {terms.data}"
    if metrics is None:
        over = sum(len(history) == terms.epochs for history in histories.values())
        return (
            f"{what}; {over} of {counted(len(histories), 'seed')} trained, the test split not read."
        )
    seeds = counted(len(metrics.seeds), "seed")
    accuracy = metrics.spread("test_accuracy")
    return (
        f"Test accuracy {accuracy} over {seeds} after {what}, at "
        f"{short(metrics.cost.flops)} FLOPs and {short(metrics.cost.params)} parameters."
    )


def accuracy_figure(histories: Histories) -> go.Figure:
    """Draw validation accuracy by epoch, with what each seed kept."""
    fig = over_epochs(histories, "validation accuracy", height=420)
    fig.update_yaxes(tickformat=".1%", range=first_view(histories))
    for place, (seed, history) in enumerate(histories.items()):
        color = STUDIES[place % len(STUDIES)]
        for kind, field in (("ema", "ema_accuracy"), ("raw", "accuracy")):
            fig.add_scatter(
                **line(history, field, color),
                name=f"seed {seed}",
                legendgroup=f"seed {seed}",
                showlegend=kind == "ema",
                line_dash=DASHES[kind],
                opacity=1 if kind == "ema" else 0.6,
                hovertemplate=f"seed {seed}, {kind}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            )
        if history:
            fig.add_scatter(**star(choose(history), seed, color))
    return fig


def loss_figure(histories: Histories) -> go.Figure:
    """Draw the training loss by epoch."""
    fig = over_epochs(histories, "training loss (nats)", height=340)
    for place, (seed, history) in enumerate(histories.items()):
        fig.add_scatter(
            **line(history, "loss", STUDIES[place % len(STUDIES)]),
            name=f"seed {seed}",
            hovertemplate=f"seed {seed}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )
    fig.update_layout(showlegend=len(histories) > 1)
    return fig


def over_epochs(histories: Histories, y: str, height: int) -> go.Figure:
    """Return an empty figure as wide as the longest history."""
    most = max(map(len, histories.values()))
    margin = max(0.02 * most, 0.1)
    fig = figure("epoch", y, height)
    fig.update_xaxes(range=[1 - margin, most + margin], rangemode="normal")
    if most < FEW:
        fig.update_xaxes(dtick=1)
    return fig


def first_view(histories: Histories) -> tuple[float, float]:
    """Return the range of accuracies without the first epochs, which would squeeze the others."""
    found = [
        value
        for history in histories.values()
        for epoch in history[int(BEGINNING * len(history)) :]
        for value in (epoch.accuracy, epoch.ema_accuracy)
        if value is not None
    ]
    low, high = min(found), max(found)
    margin = max(0.06 * (high - low), 0.002)
    return low - margin, high + margin


def line(history: Sequence[Epoch], field: str, color: str) -> dict[str, Any]:
    """Return a field of the epochs as a line; a single epoch as a point."""
    return {
        "x": [epoch.number for epoch in history],
        "y": [getattr(epoch, field) for epoch in history],
        "mode": "lines" if len(history) > 1 else "markers",
        "line_color": color,
        "line_width": 2,
    }


def star(choice: Choice, seed: int, color: str) -> dict[str, Any]:
    """Return the mark of what a seed kept."""
    return {
        "x": [choice.epoch],
        "y": [choice.accuracy],
        "mode": "markers",
        "marker": {"symbol": "star", "size": 13, "color": color},
        "legendgroup": f"seed {seed}",
        "showlegend": False,
        "hovertemplate": f"seed {seed} kept: {choice.weights}, epoch %{{x}}, %{{y:.4f}}"
        "<extra></extra>",
    }


def seed_rows(histories: Histories, metrics: Metrics | None) -> list[tuple[object, ...]]:
    """Return the cells of `COLUMNS` for each seed that has begun."""
    measured = {each.seed: each for each in metrics.seeds} if metrics else {}
    return [
        seed_cells(seed, history, measured.get(seed))
        for seed, history in histories.items()
        if history
    ]


def seed_cells(
    seed: int, history: Sequence[Epoch], measured: SeedMetrics | None
) -> tuple[object, ...]:
    """Return the row of one seed."""
    choice = choose(history)
    test = (f"{measured.test_accuracy:.4f}", f"{measured.test_loss:.4f}") if measured else ("", "")
    cells = (seed, len(history), f"epoch {choice.epoch}", choice.weights, f"{choice.accuracy:.4f}")
    return (*cells, *test)

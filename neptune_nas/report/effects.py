"""What mattered: how much each decision of the space moved accuracy and cost.

Importance is the permutation importance (Breiman 2001, doi 10.1023/A:1010933404324) of a random
forest on the picks, on trials held out from it. Accuracy is taken at the lowest rung, which every
trial was scored at: higher rungs hold only those that were promoted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import exp, log, sqrt
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from neptune_nas.errors import OptionError, StudyError
from neptune_nas.metrics.pareto import Floats
from neptune_nas.report.progress import first_rung
from neptune_nas.report.style import ACCENT, GREY, WARM, figure
from neptune_nas.study.measures import cost_axis
from neptune_nas.study.objectives import value_of
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted

Pick = str | int | float | bool | None

LEAST_TRIALS = 40  # fewer say nothing about dozens of decisions
MOST_TRIALS = 1_500  # more add seconds, not insight
SHOWN_DECISIONS, SHOWN_OPTIONS = 12, 8
ABSENT = -1.0


@dataclass(frozen=True, slots=True)
class Importance:
    """How much R^2 the forest loses when a decision is shuffled, for accuracy and for log cost."""

    path: str
    accuracy: float
    cost: float


@dataclass(frozen=True, slots=True)
class Effects:
    """What the forests found; `r2_accuracy`, `r2_cost`: the share of variance that they explain on
    held-out trials. `trials`: how many they saw.
    """

    importances: tuple[Importance, ...]
    r2_accuracy: float
    r2_cost: float
    trials: int


@dataclass(frozen=True, slots=True)
class Effect:
    """The trials with one option of a decision, against all in which it was taken.

    `accuracy`: difference of means, 0..1, `error` its standard error. `cost`: ratio of geometric
    means.
    """

    path: str
    option: str
    trials: int
    accuracy: float
    error: float
    cost: float


def first_accuracy(study: Study, trial: Trial) -> float | None:
    """The trial's accuracy at the lowest rung."""
    scores = trial.scores_at(first_rung(study))
    return scores[0].main if scores else None


def usable(study: Study) -> list[Trial]:
    """The trials with picks, a score at the lowest rung and a known cost, thinned out evenly."""
    axis = cost_axis(study.settings.question)
    found = [
        trial
        for trial in study.trials
        if trial.picks
        and first_accuracy(study, trial) is not None
        and 0 < value_of(axis, trial) < float("inf")
    ]
    step = max(len(found) // MOST_TRIALS, 1)
    return found[::step][:MOST_TRIALS]


def measure_effects(study: Study, seed: int = 0) -> Effects | None:
    """The importance of each decision, the most important first; None with too few trials."""
    trials = usable(study)
    if len(trials) < LEAST_TRIALS:
        return None
    axis = cost_axis(study.settings.question)
    paths, features = encode(trials)
    accuracy = np.array([first_accuracy(study, trial) for trial in trials], dtype=np.float64)
    cost = np.log([value_of(axis, trial) for trial in trials])
    drops_accuracy, r2_accuracy = permuted(features, accuracy, seed)
    drops_cost, r2_cost = permuted(features, cost, seed)
    found = sorted(
        map(Importance, paths, drops_accuracy.tolist(), drops_cost.tolist()),
        key=lambda importance: -max(importance.accuracy, 0) - max(importance.cost, 0),
    )
    return Effects(tuple(found), r2_accuracy, r2_cost, len(trials))


def require_effects(studies: Sequence[Study]) -> Effects:
    """The effects in the one study that there is.

    Raises `OptionError` for several, and `StudyError` where it has too few trials.
    """
    if len(studies) > 1:
        raise OptionError(
            f"what mattered is shown for one study at a time, but got {len(studies)}: name one."
        )
    found = measure_effects(studies[0])
    if found is None:
        raise StudyError(
            f"study {studies[0].folder} has {len(usable(studies[0]))} scored trials, but at least "
            f"{LEAST_TRIALS} are needed to tell decisions apart: search on first."
        )
    return found


def encode(trials: list[Trial]) -> tuple[list[str], Floats]:
    """The paths of all decisions, and a number for each in each trial; -1 if it was not taken."""
    paths = list(dict.fromkeys(path for trial in trials for path in trial.picks))
    codes = {path: codes_of([t.picks[path] for t in trials if path in t.picks]) for path in paths}
    rows = [
        [codes[path][t.picks[path]] if path in t.picks else ABSENT for path in paths]
        for t in trials
    ]
    return paths, np.array(rows, dtype=np.float64)


def codes_of(values: list[Pick]) -> dict[Pick, float]:
    """Numbers for the options of a decision, in their order if they have one."""
    return {value: float(i) for i, value in enumerate(sorted({*values}, key=order))}


def order(value: Pick) -> tuple[bool, float, str]:
    """Numbers before words."""
    number = isinstance(value, int | float)
    return not number, float(value) if isinstance(value, int | float) else 0.0, str(value)


def permuted(features: Floats, target: Floats, seed: int) -> tuple[Floats, float]:
    """For each column the drop of R^2 on held-out rows when it is shuffled; and that R^2."""
    shuffled = np.random.default_rng(seed).permutation(len(target))
    held, used = np.split(shuffled, [len(target) // 3])
    if np.ptp(target[used]) == 0 or np.ptp(target[held]) == 0:
        return np.zeros(features.shape[1]), 0.0
    forest = RandomForestRegressor(30, min_samples_leaf=3, max_features=0.5, random_state=seed)
    forest.fit(features[used], target[used])
    found = permutation_importance(
        forest, features[held], target[held], n_repeats=3, random_state=seed
    )
    drops: NDArray[np.float64] = found.importances_mean
    return drops, float(forest.score(features[held], target[held]))


def effects_of(study: Study, path: str) -> list[Effect]:
    """The effect of each option of a decision, the most frequent options first, then in order."""
    axis = cost_axis(study.settings.question)
    trials = [trial for trial in usable(study) if path in trial.picks]
    options = [option for option, _ in Counter(t.picks[path] for t in trials).most_common()]
    everyone = np.array([first_accuracy(study, trial) for trial in trials], dtype=np.float64)
    costs = [log(value_of(axis, trial)) for trial in trials]
    picked = [trial.picks[path] for trial in trials]
    effects = []
    for option in sorted(options[:SHOWN_OPTIONS], key=order):
        chosen = np.array([pick == option for pick in picked])
        count = int(chosen.sum())
        spread = float(everyone[chosen].std(ddof=1)) if count > 1 else 0.0
        effects.append(
            Effect(
                path=path,
                option=str(option),
                trials=count,
                accuracy=float(everyone[chosen].mean() - everyone.mean()),
                error=spread / sqrt(count),
                cost=exp(float(np.array(costs)[chosen].mean() - np.mean(costs))),
            )
        )
    return effects


def importance_figure(found: Effects) -> go.Figure:
    """The most important decisions, for accuracy and for cost."""
    shown = found.importances[:SHOWN_DECISIONS]
    fig = figure("R² lost when the decision is shuffled", "")
    for name, color in (("accuracy", ACCENT), ("cost", GREY)):
        fig.add_bar(
            x=[max(getattr(importance, name), 0.0) for importance in shown],
            y=list(range(len(shown))),
            customdata=[escape(importance.path) for importance in shown],
            orientation="h",
            name=f"for {name}",
            marker={"color": color},
            hovertemplate="%{customdata}: %{x:.3f}<extra></extra>",
        )
    for i, importance in enumerate(shown):
        add_heading(fig, importance.path, i - 0.38)
    fig.update_xaxes(rangemode="tozero")
    fig.update_yaxes(range=[len(shown) - 0.4, -0.7], showgrid=False, showticklabels=False)
    fig.update_layout(height=130 + 44 * max(len(shown), 1), barmode="group", bargap=0.56)
    return fig


def add_heading(fig: go.Figure, text: str, y: float) -> None:
    """A line of text across the figure, where an axis label would be too long for a phone."""
    fig.add_annotation(
        text=escape(text),
        x=0,
        xref="paper",
        xanchor="left",
        y=y,
        showarrow=False,
        font={"size": 12},
    )


def effects_figure(study: Study, found: Effects, decisions: int = 6) -> go.Figure:
    """The mean effect of each option of the most important decisions, on accuracy and on cost."""
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
    fig.update_xaxes(style, nticks=5, tickangle=0)
    rows: list[tuple[int, Effect]] = []
    y = 0
    for path, effects in zip(paths, groups, strict=True):
        add_heading(fig, path, y)
        rows += [(y + 1 + i, effect) for i, effect in enumerate(effects)]
        y += len(effects) + 1
    add_effects(fig, rows)
    ticks = {"tickvals": [row for row, _ in rows], "ticktext": [escape(e.option) for _, e in rows]}
    fig.update_yaxes(
        range=[y - 0.4, -0.6], automargin=True, showgrid=False, zeroline=False, **ticks
    )
    fig.update_layout(height=110 + 24 * max(y, 1), showlegend=False)
    return fig


def add_effects(fig: Any, rows: list[tuple[int, Effect]]) -> None:
    """The dots of both panels, and what the panels show."""
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
        ("accuracy, points", ACCENT, {"x": [100 * e.accuracy for e in effects], "error_x": bars}),
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
        fig.update_xaxes(title={"text": name}, row=1, col=column)

"""What mattered: how much each decision of the space moved accuracy and cost.

Importance is the permutation importance (Breiman 2001, doi 10.1023/A:1010933404324) of a random
forest on the picks, on trials held out from it. Accuracy is taken at the lowest rung, which every
trial was scored at: higher rungs hold only those that were promoted.
"""

from collections import Counter
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

from neptune_nas.pareto import Floats
from neptune_nas.report.ranking import cost_axis, cost_of
from neptune_nas.report.style import ACCENT, GREY, WARM, figure
from neptune_nas.study.results import Results
from neptune_nas.trial import Trial

Pick = str | int | float | bool | None

LEAST_TRIALS = 40  # fewer say nothing about dozens of decisions
MOST_TRIALS = 2_000  # more add seconds, not insight
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


def first_accuracy(results: Results, trial: Trial) -> float | None:
    """The trial's accuracy at the lowest rung."""
    scores = trial.scores_at(results.settings.question.rungs[0])
    return scores[0].accuracy if scores else None


def usable(results: Results) -> list[Trial]:
    """The trials with picks, a score at the lowest rung and a known cost; the latest few thousand."""
    axis = cost_axis(results)
    found = [
        trial
        for trial in results.trials
        if trial.picks
        and first_accuracy(results, trial) is not None
        and 0 < cost_of(trial, axis) < float("inf")
    ]
    step = max(len(found) // MOST_TRIALS, 1)
    return found[::step][:MOST_TRIALS]


def measure_effects(results: Results, seed: int = 0) -> Effects | None:
    """The importance of each decision, the most important first; None with too few trials."""
    trials = usable(results)
    if len(trials) < LEAST_TRIALS:
        return None
    axis = cost_axis(results)
    paths, features = encode(trials)
    accuracy = np.array([first_accuracy(results, trial) for trial in trials], dtype=np.float64)
    cost = np.log([cost_of(trial, axis) for trial in trials])
    drops_accuracy, r2_accuracy = permuted(features, accuracy, seed)
    drops_cost, r2_cost = permuted(features, cost, seed)
    found = sorted(
        map(Importance, paths, drops_accuracy.tolist(), drops_cost.tolist()),
        key=lambda importance: -max(importance.accuracy, 0) - max(importance.cost, 0),
    )
    return Effects(tuple(found), r2_accuracy, r2_cost, len(trials))


def encode(trials: list[Trial]) -> tuple[list[str], Floats]:
    """The paths of all decisions, and for each trial a number a decision; -1 if it was not taken."""
    paths = list(dict.fromkeys(path for trial in trials for path in trial.picks))
    codes = {path: codes_of([t.picks[path] for t in trials if path in t.picks]) for path in paths}
    rows = [
        [codes[path][t.picks[path]] if path in t.picks else ABSENT for path in paths] for t in trials
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
    forest = RandomForestRegressor(60, min_samples_leaf=3, max_features=0.5, random_state=seed)
    forest.fit(features[used], target[used])
    found = permutation_importance(
        forest, features[held], target[held], n_repeats=5, random_state=seed
    )
    drops: NDArray[np.float64] = found.importances_mean
    return drops, float(forest.score(features[held], target[held]))


def effects_of(results: Results, path: str) -> list[Effect]:
    """The effect of each option of a decision, the most frequent options first, then in order."""
    axis = cost_axis(results)
    trials = [trial for trial in usable(results) if path in trial.picks]
    options = [option for option, _ in Counter(t.picks[path] for t in trials).most_common()]
    everyone = np.array([first_accuracy(results, trial) for trial in trials], dtype=np.float64)
    costs = [log(cost_of(trial, axis)) for trial in trials]
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


def importance_figure(results: Results, found: Effects | None = None) -> go.Figure:
    """The most important decisions, for accuracy and for cost."""
    found = found or measure_effects(results)
    fig = figure("share of variance lost when the decision is shuffled", "")
    shown = found.importances[:SHOWN_DECISIONS] if found else ()
    for name, color in (("accuracy", ACCENT), ("cost", GREY)):
        fig.add_bar(
            x=[max(getattr(importance, name), 0.0) for importance in shown],
            y=[escape(importance.path) for importance in shown],
            orientation="h",
            name=f"for {name}",
            marker={"color": color},
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_layout(height=130 + 32 * max(len(shown), 1), barmode="group", bargap=0.3)
    return fig


def effects_figure(results: Results, found: Effects | None = None, decisions: int = 6) -> go.Figure:
    """The mean effect of each option of the most important decisions, on accuracy and on cost."""
    found = found or measure_effects(results)
    paths = [importance.path for importance in found.importances[:decisions]] if found else []
    effects = [effect for path in paths for effect in effects_of(results, path)]
    base = figure("", "")
    fig: Any = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    fig.update_layout(base.layout)
    labels = [f"{escape(e.path)} = {escape(e.option)}" for e in effects]
    dots = {"y": labels, "mode": "markers", "customdata": [e.trials for e in effects]}
    fig.add_scatter(
        x=[100 * effect.accuracy for effect in effects],
        error_x={"array": [196 * effect.error for effect in effects], "thickness": 1, "width": 0},
        marker={"color": ACCENT, "size": 9},
        hovertemplate="%{y}: %{x:+.2f} points, %{customdata} trials<extra></extra>",
        row=1,
        col=1,
        **dots,
    )
    fig.add_scatter(
        x=[100 * (effect.cost - 1) for effect in effects],
        marker={"color": WARM, "size": 9},
        hovertemplate="%{y}: %{x:+.0f}%, %{customdata} trials<extra></extra>",
        row=1,
        col=2,
        **dots,
    )
    style = base.layout.xaxis.to_plotly_json() | {"zeroline": True, "zerolinecolor": GREY}
    fig.update_xaxes(style)
    fig.update_xaxes(title={"text": "accuracy, points", "standoff": 10}, row=1, col=1)
    fig.update_xaxes(title={"text": "cost, %", "standoff": 10}, row=1, col=2)
    fig.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    fig.update_layout(height=130 + 24 * max(len(effects), 1), showlegend=False)
    return fig

"""Trials as a table, one row each; `docs/files.md` documents the columns."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from neptune_nas.architecture.description import describe
from neptune_nas.metrics.registry import COSTS, COUNTED, TIMED, Metric
from neptune_nas.study.front import pareto_front
from neptune_nas.study.measures import (
    efficiency,
    main_score,
    score_of,
    score_per_gflop,
)
from neptune_nas.study.noise import half_width, noise, seed_scores
from neptune_nas.study.settings import Settings
from neptune_nas.study.trial import Trial
from neptune_nas.text import redact

_PICK = "pick:"  # prefix of columns with the option at an open field


def column_of(metric: Metric) -> str:
    """Return the name of a metric's column, with the unit if it is not a count.

    >>> column_of(COSTS[-1]), column_of(COUNTED[0])
    ('latency_ms', 'flops')
    """
    return f"{metric.name}_ms" if metric.unit == "ms" else metric.name


def trials_frame(
    settings: Settings, ranked: tuple[Trial, ...], trials: Sequence[Trial], picks: bool = True
) -> pd.DataFrame:
    """Return one row for each of the `trials` of a study, in the given order.

    `ranked`: the trials that determine the study's front and noise. `picks` adds one column for
    each open field of the space.
    """
    on_front = {trial.number for trial in pareto_front(settings.question, ranked)}
    spread, (main, *further) = noise(ranked), settings.question.scored
    columns: dict[str, Callable[[Trial], Any]] = {
        "number": lambda t: t.number,
        "key": lambda t: t.key,
        "state": lambda t: str(t.state),
        "pareto": lambda t: t.number in on_front,
        "given": lambda t: t.given,
        main.name: main_score,
        f"{main.name}_half_width": lambda t: half_width(t, spread),
        "seeds": lambda t: len(seed_scores(t)),
        **{each.name: partial(score_of, each) for each in further},
        "fidelity": lambda t: t.score.fidelity if t.score else 0,
        **{column_of(each): partial(_cost, each) for each in COSTS},
        "efficiency": lambda t: efficiency(settings, t),
        f"{main.name}_per_gflop": score_per_gflop,
        "seconds": lambda t: sum(score.seconds for score in t.scores),
        "started": lambda t: min((s.started for s in t.scores if s.started), default=None),
        "worker": lambda t: t.scores[-1].worker if t.scores else None,
        "failure": lambda t: redact(t.failure) if t.failure else None,
        "architecture": lambda t: describe(t.architecture),
    }
    if settings.question.start:
        columns["inherited"] = lambda t: t.score.inherited if t.score else None
    content = {name: pd.Series([of(t) for t in trials]) for name, of in columns.items()}
    content |= {
        each.name: content[each.name].astype("Int64")
        for each in COUNTED
        if content[each.name].hasnans
    }
    for each in TIMED:  # what was predicted before it was measured
        if any(trial.predicted for trial in trials):
            former = [trial.predicted.get(each.name) for trial in trials]
            content[f"predicted_{column_of(each)}"] = pd.Series(former, dtype=float)
    if picks:
        for path in dict.fromkeys(path for trial in trials for path in trial.picks):
            values = [trial.picks.get(path) for trial in trials]
            content[_PICK + path] = pd.Series(values, dtype=object)
    frame = pd.DataFrame(content)
    return frame.astype({"worker": "Int64"})


def without_picks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of trials as `trials_frame` makes it without `picks`."""
    return frame[[name for name in frame if not str(name).startswith(_PICK)]]


def _cost(metric: Metric, trial: Trial) -> float | None:
    return trial.values.get(metric.name)

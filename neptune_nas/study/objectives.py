"""The objectives of a search: metrics, their directions, and the values of a trial."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from typing import Literal

from neptune_nas.errors import OptionError, one_of
from neptune_nas.metrics.registry import COSTS, Metric
from neptune_nas.metrics.score import Score
from neptune_nas.study.trial import Trial

Direction = Literal["maximize", "minimize"]


def objectives_in(names: Sequence[str], scored: Sequence[Metric]) -> tuple[Metric, ...]:
    """Return the metrics with these names; `scored`: those that the evaluator measures.

    Raises `OptionError` for unknown or repeated ones, and where none is scored.
    """
    known = {each.name: each for each in (*scored, *COSTS)}
    for name in names:
        if name not in known:
            raise OptionError(f"objective '{name}' is unknown: {one_of(known, name)}")
    if len({*names}) < len(names):
        raise OptionError(f"objectives must differ, but got {','.join(names)}.")
    if not any(known[name].is_scored for name in names):
        raise OptionError(
            f"objectives need {' or '.join(each.name for each in scored)}, or there is nothing to "
            f"search for, but got {','.join(names) or 'none'}."
        )
    return tuple(known[name] for name in names)


def directions(aims: Sequence[Metric]) -> list[Direction]:
    """Return Optuna's direction of each objective."""
    return ["maximize" if aim.better == "more" else "minimize" for aim in aims]


def value_of(metric: Metric, trial: Trial) -> float:
    """Return a trial's value of a metric, or the worst possible one where it is not known."""
    if metric.is_scored:
        value = trial.score.values.get(metric.name, metric.worst) if trial.score else metric.worst
    else:
        value = trial.values.get(metric.name, metric.worst)
    return float(value) if isfinite(value) else metric.worst


def values_of(aims: Sequence[Metric], trial: Trial) -> tuple[float, ...]:
    """Return the values of all objectives of a trial, with its last scores."""
    return tuple(value_of(aim, trial) for aim in aims)


def losses(aims: Sequence[Metric], values: Sequence[float]) -> tuple[float, ...]:
    """Return the values of objectives, turned so that less is better."""
    return tuple(aim.turn * value for aim, value in zip(aims, values, strict=True))


def rung_losses(aims: Sequence[Metric], trial: Trial, scores: Sequence[Score]) -> tuple[float, ...]:
    """Return the losses by which a rung compares a trial with these scores.

    Where a proxy was measured, it replaces all scored objectives; more of it is better.
    """
    found = losses(aims, values_of(aims, replace(trial, scores=tuple(scores))))
    if scores[0].proxy is None:
        return found
    proxy = scores[0].proxy
    return tuple(-proxy if a.is_scored else x for a, x in zip(aims, found, strict=True))

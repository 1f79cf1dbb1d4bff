"""What a search can aim at: which way each objective points, and what is known before training."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isfinite
from typing import Literal

from neptune_nas.errors import OptionError, one_of
from neptune_nas.metrics.trial import SCORED, Cost, Score, Trial

EXACT = ("flops", "macs", "params", "activations")
Direction = Literal["maximize", "minimize"]
OBJECTIVES = (*SCORED, *EXACT, "latency")


def check_objectives(names: Sequence[str]) -> None:
    """Refuse unknown or repeated objectives, and none that training can change."""
    for name in names:
        if name not in OBJECTIVES:
            raise OptionError(f"objective '{name}' is unknown: {one_of(OBJECTIVES, name)}")
    if len({*names}) < len(names):
        raise OptionError(f"objectives must differ, but got {','.join(names)}.")
    if not set(names) & set(SCORED):
        raise OptionError(
            f"objectives need accuracy or loss, or there is nothing to search for, "
            f"but got {','.join(names) or 'none'}."
        )


def directions(names: Sequence[str]) -> list[Direction]:
    """Optuna's direction of each objective: accuracy up, all else down."""
    return ["maximize" if name == "accuracy" else "minimize" for name in names]


def value_of(name: str, cost: Cost, score: Score | None, latency: float | None) -> float:
    """The value of one objective; the worst there is where it was not measured."""
    if name in EXACT:
        return float(getattr(cost, name))
    if name == "latency":
        return inf if latency is None else latency
    worst = -inf if name == "accuracy" else inf
    value = worst if score is None else float(getattr(score, name))
    return value if isfinite(value) else worst


def values_of(names: Sequence[str], trial: Trial) -> tuple[float, ...]:
    """The values of all objectives of a trial, by its last score."""
    return tuple(value_of(name, trial.cost, trial.score, trial.latency) for name in names)


def losses(names: Sequence[str], values: Sequence[float]) -> tuple[float, ...]:
    """The same values turned so that less is better."""
    return tuple(-v if n == "accuracy" else v for n, v in zip(names, values, strict=True))


def standing(names: Sequence[str], trial: Trial, scores: Sequence[Score]) -> tuple[float, ...]:
    """The losses by which a trial is compared at a rung, where it has these scores.

    Where a proxy was measured, it stands for accuracy and loss: more of it is better.
    """
    found = losses(names, values_of(names, replace(trial, scores=tuple(scores))))
    if scores[0].proxy is None:
        return found
    return tuple(-scores[0].value if n in SCORED else x for n, x in zip(names, found, strict=True))

"""What a study aims at, as tables show it beside the columns that they always have."""

from collections.abc import Collection
from math import isfinite

from neptune_nas.architecture.description import short
from neptune_nas.metrics.trial import Trial
from neptune_nas.study.measures import cost_of
from neptune_nas.study.objectives import EXACT
from neptune_nas.study.settings import Question

TITLES = {
    "loss": "loss",
    "flops": "FLOPs",
    "macs": "MACs",
    "params": "params",
    "activations": "activations",
    "latency": "latency",
}


def others(question: Question, shown: Collection[str]) -> tuple[str, ...]:
    """Return the objectives of a question that are not among those `shown` anyway."""
    return tuple(name for name in question.objectives if name not in shown)


def value_text(name: str, trial: Trial) -> str:
    """Return what a trial has of an objective, in a few digits; a dash where it is not known."""
    value = cost_of(trial, name)
    if not isfinite(value) or (value == 0 and name in EXACT):
        return "-"
    if name == "latency":
        return f"{value:.3g} ms"
    return f"{value:.4f}" if name == "loss" else short(value)

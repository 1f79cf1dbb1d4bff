"""Which weights of a run to keep: the best that were measured on the validation split."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from neptune_nas.metrics.registry import metric
from neptune_nas.training.state import Epoch

Kind = Literal["raw", "ema"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Weights as they were after an epoch, with their values on the validation split, by metric.

    `weights`: "raw" as the optimiser left them, "ema" averaged.
    """

    epoch: int
    weights: Kind
    values: Mapping[str, float]


def choose(history: Sequence[Epoch], metrics: Sequence[str]) -> Choice:
    """Return the weights that are best by the first of `metrics`, of equal ones by the next.

    Of weights that are equal in all, those are returned that were measured first. At least one
    epoch of `history` was measured.
    """
    turns = [(name, metric(name).turn) for name in metrics]
    found = [choice for epoch in history for choice in choices(epoch)]
    return min(found, key=lambda choice: [turn * choice.values[name] for name, turn in turns])


def choices(epoch: Epoch) -> Iterator[Choice]:
    """Yield the weights that were measured after an epoch."""
    if epoch.values:
        yield Choice(epoch.number, "raw", epoch.values)
    if epoch.ema_values:
        yield Choice(epoch.number, "ema", epoch.ema_values)

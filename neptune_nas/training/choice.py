"""Which weights of a run to keep: the best that were measured on the validation split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from neptune_nas.training.state import Epoch

Kind = Literal["raw", "ema"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Weights as they were after an epoch, with their validation accuracy and loss.

    `weights`: "raw" as the optimiser left them, "ema" averaged.
    """

    epoch: int
    weights: Kind
    accuracy: float
    loss: float


def choose(history: Sequence[Epoch]) -> Choice:
    """The most accurate weights, of equally accurate ones those of the lowest loss, then the first.

    At least one epoch of `history` was measured.
    """
    found = [choice for epoch in history for choice in choices(epoch)]
    return max(found, key=lambda choice: (choice.accuracy, -choice.loss))


def choices(epoch: Epoch) -> Iterator[Choice]:
    """The weights that were measured after an epoch."""
    if epoch.accuracy is not None and epoch.validation_loss is not None:
        yield Choice(epoch.number, "raw", epoch.accuracy, epoch.validation_loss)
    if epoch.ema_accuracy is not None and epoch.ema_loss is not None:
        yield Choice(epoch.number, "ema", epoch.ema_accuracy, epoch.ema_loss)

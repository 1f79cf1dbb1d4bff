"""Trains a network in full: written down after every epoch, with the best weights kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from neptune_nas.data.images import ImageData
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError
from neptune_nas.metrics.registry import metric
from neptune_nas.training.checkpoint import load_checkpoint, save_checkpoint
from neptune_nas.training.loop import random_state, run_epochs, within_memory
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import (
    Epoch,
    RunState,
    Setup,
    Weights,
    copied,
    make_setup,
    make_state,
)

Kind = Literal["raw", "ema"]
Watch = Callable[[Sequence[Epoch]], None]
"""Told all epochs that are over, the latest at the end."""


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


@dataclass(frozen=True, slots=True)
class Trained:
    """The weights that `choose` picks from a run's `history`, on the host."""

    weights: Weights
    history: tuple[Epoch, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """How long a run goes, from which seed, where it is written down, and who watches it."""

    epochs: int
    seed: int
    checkpoint: Path
    watch: Watch

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise OptionError(f"`epochs` must be at least 1, but got {self.epochs}.")


def train_long(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    course: Course,
    device: str = "cpu",
    *,
    numerics: Numerics | None = None,
) -> Trained:
    """Train `network`, freshly initialised, or go on where its checkpoint left it.

    A run that was stopped at any moment ends as one that was not, to floating-point noise, if it
    is called again with the same arguments. Both the weights and their average are measured after
    every epoch. Where memory runs out, the run goes on with each batch in two halves. `numerics`:
    the precision and layout (default: the recipe's precision, channels last).
    Raises `FileFormatError` for a damaged checkpoint, and `DivergedError`.
    """
    where, numerics = torch.device(device), numerics or Numerics(recipe.precision)
    return within_memory(
        network,
        where,
        numerics.layout,
        lambda parts: go_on(
            make_setup(network, data, recipe, where, parts, numerics=numerics), course
        ),
    )


def go_on(setup: Setup, course: Course) -> Trained:
    """Train the epochs that are left, each written down before the next."""
    with random_state(setup.device, course.seed):
        state = make_state(setup, course.epochs, course.seed, averaged=True)
        best: Weights = {}
        if course.checkpoint.exists():
            best = load_checkpoint(course.checkpoint, setup, state)
        for epoch in run_epochs(setup, state, course.epochs, curve=True):
            choice = choose(state.history, setup.task.metrics)
            if choice.epoch == epoch.number:
                best = copied(setup.network if choice.weights == "raw" else averaged(state))
            save_checkpoint(course.checkpoint, setup, state, best)
            course.watch(tuple(state.history))
    return Trained(best, tuple(state.history))


def averaged(state: RunState) -> nn.Module:
    """Return the network of a run's averaged weights."""
    assert state.average is not None  # a long run always keeps it
    return state.average.module

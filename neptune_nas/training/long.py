"""Trains a network in full: written down after every epoch, with the best weights kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from neptune_nas.data.images import ImageData
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError
from neptune_nas.training.checkpoint import load_checkpoint, save_checkpoint
from neptune_nas.training.choice import choose
from neptune_nas.training.loop import random_state, run_epochs, within_memory
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.setup import Setup, make_setup
from neptune_nas.training.state import Epoch, RunState, Weights, copied, make_state

Watch = Callable[[Sequence[Epoch]], None]
"""Told all epochs that are over, the latest at the end."""


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
    """The epochs that are left, each written down before the next."""
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
    """The network of a run's averaged weights."""
    assert state.average is not None  # a long run always keeps it
    return state.average.module

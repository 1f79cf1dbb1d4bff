"""The full training of a network: a checkpoint after every epoch, and the best weights."""

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
    copy_tensors,
    make_setup,
    make_state,
)
from neptune_nas.training.teacher import Teaching

Kind = Literal["raw", "ema"]
Watch = Callable[[Sequence[Epoch]], None]
"""A callback that gets all finished epochs, the latest last."""


@dataclass(frozen=True, slots=True)
class ChosenWeights:
    """A choice of weights: those after an epoch, with their validation values by metric.

    `weights`: "raw" from the optimiser, "ema" averaged.
    """

    epoch: int
    weights: Kind
    values: Mapping[str, float]


def choose(history: Sequence[Epoch], metrics: Sequence[str]) -> ChosenWeights:
    """Return the best weights by the first of `metrics`, breaking ties by the next.

    Among weights equal in all metrics, the earliest win. At least one epoch of `history` must have
    been measured.
    """
    turns = [(name, metric(name).turn) for name in metrics]
    found = [choice for epoch in history for choice in choices(epoch)]
    return min(found, key=lambda choice: [turn * choice.values[name] for name, turn in turns])


def choices(epoch: Epoch) -> Iterator[ChosenWeights]:
    """Yield the weights that were measured after an epoch."""
    if epoch.values:
        yield ChosenWeights(epoch.number, "raw", epoch.values)
    if epoch.ema_values:
        yield ChosenWeights(epoch.number, "ema", epoch.ema_values)


@dataclass(frozen=True, slots=True)
class Trained:
    """The weights chosen from a run's `history` by `choose`, on the host."""

    weights: Weights
    history: tuple[Epoch, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """The length of a run, its seed, its checkpoint and its watcher."""

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
    teaching: Teaching | None = None,
) -> Trained:
    """Train `network`, freshly initialised, or resume from its checkpoint.

    A run stopped at any moment and called again with the same arguments ends like an uninterrupted
    one, to floating-point noise. Both the weights and their average are measured after every epoch.
    If memory runs out, the run goes on with each batch in two halves. `numerics`: the precision and
    layout (default: the recipe's precision, channels last). `teaching`: a teacher's outputs for the
    training images. Raises `FileFormatError` for a damaged checkpoint, and `DivergedError`.
    """
    where, numerics = torch.device(device), numerics or Numerics(recipe.precision)
    return within_memory(
        network,
        where,
        numerics.layout,
        lambda parts: train_remaining(
            make_setup(network, data, recipe, where, parts, numerics=numerics, teaching=teaching),
            course,
        ),
    )


def train_remaining(setup: Setup, course: Course) -> Trained:
    """Train the remaining epochs, writing a checkpoint after each."""
    with random_state(setup.device, course.seed):
        state = make_state(setup, course.epochs, course.seed, averaged=True)
        best: Weights = {}
        if course.checkpoint.exists():
            best = load_checkpoint(course.checkpoint, setup, state)
        for epoch in run_epochs(setup, state, course.epochs, curve=True):
            choice = choose(state.history, setup.task.metrics)
            if choice.epoch == epoch.number:
                best = copy_tensors(
                    setup.network if choice.weights == "raw" else _averaged_network(state)
                )
            save_checkpoint(course.checkpoint, setup, state, best)
            course.watch(tuple(state.history))
    return Trained(best, tuple(state.history))


def _averaged_network(state: RunState) -> nn.Module:
    """Return the network with a run's averaged weights."""
    assert state.average is not None  # a long run always keeps it
    return state.average.module

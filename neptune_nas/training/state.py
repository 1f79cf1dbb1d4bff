"""The setup of a run, which stays fixed, and its state, which changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel

from neptune_nas.data.images import ImageData
from neptune_nas.devices.device import autocast_for
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError
from neptune_nas.tasks.augmentation import COLOURS, Augment, Normalizer
from neptune_nas.tasks.registry import task_of
from neptune_nas.tasks.task import Task
from neptune_nas.text import counted
from neptune_nas.training.feed import Feed, make_feeds
from neptune_nas.training.optimizer import (
    epoch_schedule,
    make_average,
    make_optimizer,
    step_schedule,
)
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.teacher import Teaching, largest_guess

Weights = dict[str, Tensor]
"""A network's state: parameters and buffers by name."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that stays fixed during a run.

    `guess`: the loss of guessing. `parts`: the number of parts in which a batch is computed.
    """

    network: nn.Module
    train: Feed
    validation: Feed
    task: Task
    guess: float
    recipe: Recipe
    device: torch.device
    augment: Augment
    normalize: Normalizer
    autocast: torch.autocast
    parts: int = 1
    teaching: Teaching | None = None


def make_setup(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    device: torch.device,
    parts: int = 1,
    *,
    numerics: Numerics | None = None,
    teaching: Teaching | None = None,
) -> Setup:
    """Return the setup of a run; `numerics` (default: the recipe's precision, channels last)."""
    numerics, task = numerics or Numerics(recipe.precision), task_of(data)
    train, validation = to_device(data, device)
    guess = task.chance(len(data.classes))[task.criterion]
    return Setup(
        network=network,
        train=train,
        validation=validation,
        task=task,
        guess=guess if teaching is None else largest_guess(guess, recipe),
        recipe=recipe,
        device=device,
        augment=augment_for(recipe, data),
        normalize=Normalizer(data, device, numerics.layout),
        autocast=autocast_for(numerics.precision, device),
        parts=parts,
        teaching=teaching,
    )


def augment_for(recipe: Recipe, data: ImageData) -> Augment:
    """Return the recipe's augmentation, with the data set's own in place of "auto".

    Raises `OptionError` for a policy, which changes colours, on images that have none, and for a
    mixture of images that the task's targets cannot follow.
    """
    channels, task = data.input_shape[0], task_of(data)
    for name in task.unmixed:
        if getattr(recipe, name):
            raise OptionError(
                f"the recipe's `{name}` must be 0 for {task.name}, whose targets cannot be mixed "
                f"as their images are, but is {getattr(recipe, name)}: leave it out."
            )
    if recipe.policy != "none" and channels not in COLOURS:
        raise OptionError(
            f"the recipe's `policy` {recipe.policy} is for grey or colour images, but data "
            f"'{data.name}' has {counted(channels, 'channel')}: leave it at none."
        )
    return Augment(
        crop=data.crop if recipe.crop == "auto" else recipe.crop,
        flip=data.flip if recipe.flip == "auto" else recipe.flip,
        cutout=recipe.cutout,
        policy=recipe.policy,
    )


@lru_cache(maxsize=1)
def to_device(data: ImageData, device: torch.device) -> tuple[Feed, Feed]:
    """Return the training and validation feeds; held images move to `device` once for all runs."""
    train, validation = make_feeds((data.train, data.validation), device)
    return train, validation


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training images: mean training loss, final rate, seconds.

    `values`: the task's metrics on the validation split after this epoch, by name; empty if not
    measured. `ema_values`: those of the averaged weights, if there are any.
    """

    number: int
    loss: float
    lr: float
    seconds: float
    values: Mapping[str, float] = field(default_factory=dict)
    ema_values: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class RunState:
    """Everything that changes during a run, except network weights and torch's random state.

    A run has either a `schedule`, which sets the rate after each step, or a `plateau`, which does
    so after each epoch. `generator` draws the order of the images and their views. `mirrored`
    `(N,)`: the training images that the first epoch mirrors, and every second one after it. `seed`:
    of the run. `average`: that of the weights, if kept. `history`: the finished epochs.
    """

    optimizer: Optimizer
    schedule: LambdaLR | None
    plateau: ReduceLROnPlateau | None
    generator: Generator
    mirrored: Tensor
    seed: int
    average: AveragedModel | None = None
    history: list[Epoch] = field(default_factory=list)


def make_state(setup: Setup, epochs: int, seed: int, *, averaged: bool = False) -> RunState:
    """Return the state at the start of a run of `epochs`."""
    optimizer = make_optimizer(setup.network, setup.recipe)
    steps = epochs * batch_count(len(setup.train), setup.recipe.batch_size)
    generator = Generator().manual_seed(seed)
    by_epoch = setup.recipe.schedule == "plateau"
    return RunState(
        optimizer=optimizer,
        schedule=None if by_epoch else step_schedule(optimizer, setup.recipe, steps),
        plateau=epoch_schedule(optimizer) if by_epoch else None,
        generator=generator,
        mirrored=torch.randint(2, (len(setup.train),), generator=generator).bool(),
        seed=seed,
        average=make_average(setup.network, steps) if averaged else None,
    )


def batch_count(images: int, size: int) -> int:
    """Return the number of batches of at most `size` in an epoch.

    It is one fewer if a batch would be a single image, which batch norm cannot train on.
    """
    return max(1, min(ceil(images / size), images // 2))


def copy_tensors(network: nn.Module) -> Weights:
    """Return a copy of a network's state on the host, unaffected by later steps."""
    return {name: value.cpu().clone() for name, value in network.state_dict().items()}

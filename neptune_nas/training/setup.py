"""What stays the same during a run."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from neptune_nas.data.images import ImageData
from neptune_nas.devices.device import autocast_for
from neptune_nas.devices.numerics import Numerics
from neptune_nas.tasks.augmentation import Augment, Normalizer
from neptune_nas.tasks.registry import task_of
from neptune_nas.tasks.task import Task
from neptune_nas.training.feed import Feed, make_feeds
from neptune_nas.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Setup:
    """All that stays the same during a run.

    `guess`: the loss of guessing. `parts`: pieces that each batch is computed in.
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


def make_setup(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    device: torch.device,
    parts: int = 1,
    *,
    numerics: Numerics | None = None,
) -> Setup:
    """Return the setup of a run; `numerics` (default: the recipe's precision, channels last)."""
    numerics, task = numerics or Numerics(recipe.precision), task_of(data)
    train, validation = placed(data, device)
    return Setup(
        network=network,
        train=train,
        validation=validation,
        task=task,
        guess=task.chance(len(data.classes))[task.criterion],
        recipe=recipe,
        device=device,
        augment=augment_for(recipe, data),
        normalize=Normalizer(data, device, numerics.layout),
        autocast=autocast_for(numerics.precision, device),
        parts=parts,
    )


def augment_for(recipe: Recipe, data: ImageData) -> Augment:
    """Return what the recipe says, and where it says "auto" what suits the data set."""
    return Augment(
        crop=data.crop if recipe.crop == "auto" else recipe.crop,
        flip=data.flip if recipe.flip == "auto" else recipe.flip,
        cutout=recipe.cutout,
    )


@lru_cache(maxsize=1)
def placed(data: ImageData, device: torch.device) -> tuple[Feed, Feed]:
    """Return the training and validation images; held ones move to `device` once for all runs."""
    train, validation = make_feeds((data.train, data.validation), device)
    return train, validation

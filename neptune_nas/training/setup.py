"""What stays the same during a run."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from neptune_nas.data.images import ImageData
from neptune_nas.devices.device import autocast_for
from neptune_nas.devices.numerics import Numerics
from neptune_nas.training.augment import Augment, Normalizer, augment_for
from neptune_nas.training.feed import Feed, make_feeds
from neptune_nas.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Setup:
    """All that stays the same during a run; `parts`: pieces that each batch is computed in."""

    network: nn.Module
    train: Feed
    validation: Feed
    classes: int
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
    """The setup of a run; `numerics` (default: the recipe's precision, channels last)."""
    numerics = numerics or Numerics(recipe.precision)
    train, validation = placed(data, device)
    return Setup(
        network=network,
        train=train,
        validation=validation,
        classes=len(data.classes),
        recipe=recipe,
        device=device,
        augment=augment_for(recipe, data),
        normalize=Normalizer(data, device, numerics.layout),
        autocast=autocast_for(numerics.precision, device),
        parts=parts,
    )


@lru_cache(maxsize=1)
def placed(data: ImageData, device: torch.device) -> tuple[Feed, Feed]:
    """The training and validation images, moved to `device` once for all runs if they are held."""
    train, validation = make_feeds((data.train, data.validation), device)
    return train, validation

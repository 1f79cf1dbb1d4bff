"""Learning rates over a run, as a factor on the recipe's highest one."""

from math import cos, pi

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from neptune_nas.training.recipe import Recipe

START = 0.04  # of the highest rate, where a warm-up begins (Smith and Topin, arXiv 1708.07120)
PLATEAU_FACTOR = 0.3
PLATEAU_PATIENCE = 2  # epochs without a lower validation loss


def factor(recipe: Recipe, progress: float) -> float:
    """The share of `recipe.lr` to use at `progress`, 0 at the first step and 1 after the last.

    "one-cycle" rises and falls along half a cosine each; "cosine" rises in a straight line; both
    end at 0. "constant" and "plateau", which a `ReduceLROnPlateau` lowers, are 1 throughout.
    """
    if recipe.schedule in ("constant", "plateau"):
        return 1.0
    if progress < recipe.warmup:
        rise = progress / recipe.warmup
        return START + (1 - START) * (half_cosine(rise) if recipe.schedule == "one-cycle" else rise)
    return 1 - half_cosine((progress - recipe.warmup) / (1 - recipe.warmup))


def half_cosine(position: float) -> float:
    """0 to 1 along half a cosine, for a position from 0 to 1."""
    return (1 - cos(pi * min(position, 1.0))) / 2


def step_schedule(optimizer: Optimizer, recipe: Recipe, steps: int) -> LambdaLR:
    """Sets the rate after every one of `steps` steps."""
    return LambdaLR(optimizer, lambda step: factor(recipe, step / steps))


def epoch_schedule(optimizer: Optimizer) -> ReduceLROnPlateau:
    """Lowers the rate once the validation loss has stopped falling."""
    return ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE)

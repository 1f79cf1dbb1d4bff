"""How to train: every number that a score depends on, as one frozen record."""

from dataclasses import dataclass
from typing import Literal, get_args

from neptune_nas.data.names import parse_count
from neptune_nas.devices.numerics import Precision
from neptune_nas.errors import OptionError
from neptune_nas.files.options import require_member

Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["one-cycle", "cosine", "plateau", "constant"]
Auto = Literal["auto"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Optimiser, schedule, regularisation and batch; strings and numbers only, for JSON and TOML.

    `lr`: the highest learning rate. `warmup`: the share of the steps in which it rises (one-cycle
    and cosine). `weight_decay` spares norms and biases. `label_smoothing`: 0..1. `clip_norm`: the
    largest norm of all gradients together, 0 for any. `batch_size`: images a step.
    `crop`: padding in pixels before a random crop, `flip`: mirror half of the images; "auto" is
    what suits the data set. `cutout`: side of a square blanked out, in pixels (arXiv 1708.04552).
    `precision`: "auto" is what the machine trains fastest in, see
    `neptune_nas.training.probe`. One-cycle is Smith and Topin's (arXiv 1708.07120), AdamW
    Loshchilov and Hutter's (arXiv 1711.05101).

    Raises `OptionError` for a value that is unknown or out of its range.
    """

    optimizer: Optimizer = "adamw"
    lr: float = 0.005
    weight_decay: float = 0.05
    schedule: Schedule = "one-cycle"
    warmup: float = 0.25
    batch_size: int = 128
    label_smoothing: float = 0.1
    clip_norm: float = 1.0
    crop: int | Auto = "auto"
    flip: bool | Auto = "auto"
    cutout: int = 0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        require_member("Recipe.optimizer", self.optimizer, get_args(Optimizer))
        require_member("Recipe.schedule", self.schedule, get_args(Schedule))
        require_member("Recipe.precision", self.precision, get_args(Precision))
        require_between("lr", self.lr, 1e-8, 100)
        require_between("weight_decay", self.weight_decay, 0, 10)
        require_between("warmup", self.warmup, 0, 0.9)
        require_between("label_smoothing", self.label_smoothing, 0, 0.9)
        require_between("clip_norm", self.clip_norm, 0, float("inf"))
        require_whole("batch_size", self.batch_size, 2)
        require_whole("cutout", self.cutout, 0)
        if self.crop != "auto":
            require_whole("crop", self.crop, 0)
        if self.flip not in ("auto", True, False):
            raise OptionError(f"`Recipe.flip` must be true, false or auto, but got {self.flip!r}.")


def require_between(name: str, value: float, low: float, high: float) -> None:
    """Refuse what is no number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise OptionError(f"`Recipe.{name}` must be a number in {low}..{high}, but got {value!r}.")


def require_whole(name: str, value: int, least: int) -> None:
    """Refuse what is no whole number of at least `least`."""
    if type(value) is not int or value < least:
        raise OptionError(f"`Recipe.{name}` must be a whole number >= {least}, but got {value!r}.")


def default_recipe(data: str) -> Recipe:
    """Return the recipe to train on the data set `data` with, unless another is asked for."""
    return Recipe(batch_size=64) if is_small(data) else Recipe()


def default_epochs(data: str) -> int:
    """Return the epochs at which a search on the data set `data` scores by default."""
    return 10 if is_small(data) else 1


def is_small(data: str) -> bool:
    """Return whether the data set has so few images that an epoch is but a few steps."""
    return parse_count(data)[0] == "digits"

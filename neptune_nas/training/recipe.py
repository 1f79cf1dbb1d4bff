"""The recipe of a training: every setting that a score depends on, as one frozen record."""

from dataclasses import dataclass
from typing import Annotated, Literal

from neptune_nas.data.names import parse_count
from neptune_nas.devices.numerics import Precision
from neptune_nas.files.rules import IN_RANGE, Count, at_least, between
from neptune_nas.files.schema import check

Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["one-cycle", "cosine", "plateau", "constant"]
_Auto = Literal["auto"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Optimiser, schedule, regularisation and batch; strings and numbers only, for JSON and TOML.

    `lr`: the highest learning rate. `warmup`: the share of the steps in which it rises (one-cycle
    and cosine). `weight_decay` excludes norms and biases. `label_smoothing`: 0..1. `clip_norm`: the
    largest norm of all gradients together, 0 for no limit. `batch_size`: images per step.
    `crop`: padding in pixels before a random crop, `flip`: mirror half of the images; "auto" is
    what suits the data set. `cutout`: side of a square blanked out, in pixels (arXiv 1708.04552).
    `precision`: "auto" is what the machine trains fastest in, see
    `neptune_nas.training.probe`. One-cycle is Smith and Topin's (arXiv 1708.07120), AdamW
    Loshchilov and Hutter's (arXiv 1711.05101).

    Raises `OptionError` for a value that is unknown or out of its range.
    """

    optimizer: Optimizer = "adamw"
    lr: Annotated[float, between(1e-8, 100)] = 0.005
    weight_decay: Annotated[float, between(0, 10)] = 0.05
    schedule: Schedule = "one-cycle"
    warmup: Annotated[float, between(0, 0.9)] = 0.25
    batch_size: Annotated[int, at_least(2), IN_RANGE] = 128
    label_smoothing: Annotated[float, between(0, 0.9)] = 0.1
    clip_norm: Annotated[float, at_least(0)] = 1.0
    crop: Count | _Auto = "auto"
    flip: bool | _Auto = "auto"
    cutout: Count = 0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        check(self)


def default_recipe(data: str) -> Recipe:
    """Return the default recipe for the data set `data`."""
    return Recipe(batch_size=64) if _is_small(data) else Recipe()


def default_epochs(data: str) -> int:
    """Return the default epochs of a search on the data set `data`."""
    return 10 if _is_small(data) else 1


def _is_small(data: str) -> bool:
    """Return whether the data set has so few images that an epoch is only a few steps."""
    return parse_count(data)[0] == "digits"

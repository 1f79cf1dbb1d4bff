"""The recipe of a training: every setting that a score depends on, as one frozen record."""

from dataclasses import dataclass
from math import ceil, log2
from typing import Annotated, Literal

from neptune_nas.devices.numerics import Precision
from neptune_nas.files.rules import IN_RANGE, Count, at_least, between
from neptune_nas.files.schema import check

Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["one-cycle", "cosine", "plateau", "constant"]
_Auto = Literal["auto"]

_EPOCH_STEPS = 10
_BATCHES = (16, 128)  # the smallest and the largest by default
_CLASS_STEPS = 400
_MOST_EPOCHS = 60


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


def default_recipe(images: int) -> Recipe:
    """Return the default recipe for so many training images: an epoch has 10 steps or more.

    With fewer than 160 images, batches of 16 make fewer steps.
    """
    size = 1 << max(1, images // _EPOCH_STEPS).bit_length() - 1
    return Recipe(batch_size=max(_BATCHES[0], min(size, _BATCHES[1])))


def default_rungs(images: int, classes: int, batch_size: int) -> tuple[int, ...]:
    """Return the default epochs at which a search compares networks.

    The last rung has as many, from 1 to 60, as give 200 steps of the optimiser for each doubling of
    the classes. The lower rungs have a ninth and a third of that.

    >>> default_rungs(720, 4, 64), default_rungs(54_000, 10, 128)
    ((6, 20, 60), (1, 4))
    """
    steps = _CLASS_STEPS * log2(max(classes, 2))
    last = max(1, min(ceil(steps / ceil(images / batch_size)), _MOST_EPOCHS))
    return tuple(sorted({max(1, last // 9), max(1, last // 3), last}))

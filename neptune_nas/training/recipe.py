"""The recipe of a training: every setting that a score depends on, as one frozen record."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from math import ceil, log2
from typing import Annotated, Any, Literal

from neptune_nas.devices.numerics import Precision
from neptune_nas.files.rules import IN_RANGE, Count, at_least, between
from neptune_nas.files.schema import check
from neptune_nas.tasks.augmentation import Policy

Optimizer = Literal["adamw", "adam", "sgd", "muon"]
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
    largest norm of all gradients together, 0 for no limit. `batch_size`: images per step. `crop`:
    padding in pixels before a random crop, `flip`: mirror half of the images; "auto" is what suits
    the data set; an image that is mirrored in one epoch is not in the next (arXiv 2404.00498).
    `cutout`: side of a square blanked out, in pixels (arXiv 1708.04552). `policy`: "trivial" for
    TrivialAugment (arXiv 2103.10158), "rand" for RandAugment (arXiv 1909.13719). `mixup`, `cutmix`:
    the parameter of the beta distribution from which the shares of two images are drawn, 0 for none
    (arXiv 1710.09412, 1905.04899); with both, each batch is mixed by one of them. `teacher_weight`:
    the share of the loss that compares outputs with a teacher's, if there is one, both divided by
    `temperature` (arXiv 1503.02531). `precision`: "auto" is what the machine trains fastest in, see
    `neptune_nas.training.probe`. One-cycle is Smith and Topin's (arXiv 1708.07120), AdamW
    Loshchilov and Hutter's (arXiv 1711.05101), Muon is `neptune_nas.training.muon`'s.

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
    policy: Policy = "none"
    mixup: Annotated[float, between(0, 10)] = 0.0
    cutmix: Annotated[float, between(0, 10)] = 0.0
    teacher_weight: Annotated[float, between(0, 1)] = 0.9
    temperature: Annotated[float, between(0.1, 100)] = 4.0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        check(self)


def with_defaults(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's values by field, with defaults for fields that it lacks.

    An empty recipe, that of a network which is not trained, stays empty.
    """
    return {**asdict(Recipe()), **recipe} if recipe else {}


_KEPT = ("batch_size", "crop", "flip", "precision", "teacher_weight", "temperature")
"""The fields that a named recipe leaves as they are: those of data, machine and teacher."""


def _plain_recipe(recipe: Recipe) -> Recipe:
    """Return the default recipe for the data, machine and teacher of `recipe`."""
    return Recipe(**{name: getattr(recipe, name) for name in _KEPT})


def strong_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe for final training, for the data, machine and teacher of `recipe`.

    `docs/train.md` has measurements of each of its parts.
    """
    return replace(_plain_recipe(recipe), optimizer="muon", lr=0.02)


def final_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe to train a network that `recipe` scored: strong if that is the default."""
    return strong_recipe(recipe) if recipe == _plain_recipe(recipe) else recipe


RECIPES: Mapping[str, Callable[[Recipe], Recipe]] = {
    "default": _plain_recipe,
    "strong": strong_recipe,
}
"""The named recipes: each returns its recipe for the data, machine and teacher of another."""


def default_recipe(images: int, *, is_dense: bool = False) -> Recipe:
    """Return the default recipe for so many training images: an epoch has 10 steps or more.

    With fewer than 160 images, batches of 16 make fewer steps. `is_dense`: whether parts of an
    image have targets of their own. Such images come in batches of 16, since each is many examples,
    with the strong recipe: `docs/benchmarks.md` says what both gain.
    """
    if is_dense:
        return strong_recipe(Recipe(batch_size=_BATCHES[0]))
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

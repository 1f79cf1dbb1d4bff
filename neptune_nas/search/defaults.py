"""The defaults of a search that follow from its data and limits, each with a reason.

They are a function of the data, the limits and the settings alone, so that the same command always
asks the same question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random
from typing import Any

from neptune_nas.data.load import amount_of, load_once
from neptune_nas.data.names import COUNT, FOLDER, SIZE, parse_count
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.constraints import Constraint, is_timed
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import COST
from neptune_nas.nn.references import SMALL
from neptune_nas.space import Space
from neptune_nas.space.locate import AUTO, find_module
from neptune_nas.text import counted, plural, short
from neptune_nas.training.recipe import Recipe, default_recipe, default_rungs

DIGITS_RUNGS = (1, 3, 9)  # small, and easy: a few steps tell networks apart
_SIDES = (32, 48, 64, 96, 128, 160, 192, 224)  # of pictures that are scaled down
_PIXEL_FLOPS = 1_900  # that a small network of fair accuracy spends on each pixel
_WIDTHS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
_USUAL_WIDTH = 16
_SAMPLES = 24  # networks that decide on a width


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a search uses where its user left it open, and sentences that say why."""

    data: str
    recipe: Recipe
    rungs: tuple[int, ...]
    reasons: tuple[str, ...]


def sized_data(data: str, limits: Sequence[Constraint]) -> tuple[str, str]:
    """Return the name of a folder of large pictures with a size that suits the limits, and why.

    Other data, and pictures that are small enough, keep their name, and the reason is empty.
    """
    whole, count = parse_count(data)
    if not whole.startswith(FOLDER):
        return data, ""
    from neptune_nas.data.folder import natural_side, parse

    text = whole.removeprefix(FOLDER)
    if parse(text)[1] is not None:
        return data, ""
    natural, are_equal = natural_side(text)
    flops = min((limit.limit for limit in limits if limit.name == COST.name), default=None)
    most = SMALL if flops is None else max(_SIDES[0], min(sqrt(flops / _PIXEL_FLOPS), _SIDES[-1]))
    if are_equal and natural <= most:
        return data, ""
    side = max((each for each in _SIDES if each <= min(most, natural)), default=natural)
    why = "without a limit on FLOPs" if flops is None else f"for at most {short(flops)} FLOPs"
    end = "" if count is None else f"{COUNT}{count}"
    return f"{whole}{SIZE}{side}{end}", (
        f"Pictures: scaled to {side}x{side} pixels {why} (the median of their shorter sides "
        f"is {natural}); for larger ones give --data {whole}{SIZE}{2 * side}."
    )


def defaults_for(
    data: str,
    data_dir: Any,
    limits: Sequence[Constraint],
    recipe: Recipe | None = None,
    rungs: tuple[int, ...] | None = None,
) -> Defaults:
    """Return the data, recipe and rungs of a search that trains, with the reasons.

    Reads a user's own data. `recipe`, `rungs`: those that the user gave.
    """
    name, why = sized_data(data, limits)
    reasons = [why] if why else []
    if rungs is not None and recipe is not None:
        return Defaults(name, recipe, rungs, tuple(reasons))
    images, classes = amount_of(name, data_dir)
    used = recipe or default_recipe(images)
    if rungs is not None:
        return Defaults(name, used, rungs, tuple(reasons))
    if name == "digits":
        return Defaults(name, used, DIGITS_RUNGS, tuple(reasons))
    levels = default_rungs(images, classes, used.batch_size)
    steps = -(-images // used.batch_size) * levels[-1]
    reasons.append(
        f"Training: {', '.join(map(str, levels))} {plural(levels[-1], 'epoch')}, "
        f"at most {counted(steps, 'step')} of {used.batch_size} images, for "
        f"{counted(images, 'training image')} of {counted(classes, 'class', 'classes')}; to change "
        f"that, give --epochs or --rungs."
    )
    return Defaults(name, used, levels, tuple(reasons))


def fitting_space(data: str, data_dir: Any, limits: Sequence[Constraint]) -> tuple[Space[Any], str]:
    """Return the `auto` space, scaled so that half of it or more meets the limits, and why.

    Timed limits are ignored. Reads a user's own data.
    """
    images = load_once(data, data_dir, 0)
    shape, classes = images.input_shape, len(images.classes)
    side = min(shape[1:])
    stride = 1 if side <= SMALL else 2
    halvings = max(1, min((side // stride // 4).bit_length() - 1, 5))
    scaled = find_module(AUTO).scaled
    limits = [limit for limit in limits if not is_timed(limit)]
    if not limits:
        return scaled(_USUAL_WIDTH, halvings, stride), (
            f"Space: auto, around {_USUAL_WIDTH} channels, since nothing limits its networks."
        )
    model, width, share = CostModel(shape, classes), _WIDTHS[0], 0.0
    for wider in _WIDTHS:
        found = _share(scaled(wider, halvings, stride), model, limits)
        if wider > _WIDTHS[0] and found < 0.5:
            break
        width, share = wider, found
    meets = " and ".join(map(str, limits))
    return scaled(width, halvings, stride), (
        f"Space: auto, around {width} channels; about {share:.0%} of its networks meet {meets}."
    )


def _share(space: Space[Any], model: CostModel, limits: Sequence[Constraint]) -> float:
    """Return the share of some random networks that can be built and meet the limits."""
    rng = Random(0)
    drawn = [space.sample(rng) for _ in range(_SAMPLES)]
    return sum(_meets(each, model, limits) for each in drawn) / _SAMPLES


def _meets(architecture: Any, model: CostModel, limits: Sequence[Constraint]) -> bool:
    try:
        return all(limit.holds(model.value(limit.name, architecture)) for limit in limits)
    except ArchitectureError:
        return False

"""The defaults of a search that follow from its data and limits, each with a reason.

They are a function of the data, the limits and the settings alone, so that the same command always
asks the same question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path
from random import Random
from shlex import quote
from typing import Any

from neptune_nas.data.load import images_and_classes, load_once, task_named
from neptune_nas.data.names import (
    BOXES,
    COUNT,
    FOLDER,
    SCENES,
    SIZE,
    TIMES,
    parse_count,
    short_name,
)
from neptune_nas.deploy.restriction import restrict
from neptune_nas.deploy.targets import Target
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError
from neptune_nas.evaluators.zero_cost import check_proxy
from neptune_nas.files.atomic import folder_name
from neptune_nas.metrics.constraints import Constraint, is_timed
from neptune_nas.metrics.counted import WHOLE, CostModel
from neptune_nas.metrics.registry import COST, MACS, RAM
from neptune_nas.metrics.survey import survey
from neptune_nas.nn.references import SMALL
from neptune_nas.space import Space, find_space
from neptune_nas.space.locate import AUTO, find_module
from neptune_nas.text import counted, plural, short
from neptune_nas.training.recipe import Recipe, default_recipe, default_rungs

DIGITS_RUNGS = (1, 3, 9)  # small, and easy: a few steps tell networks apart
_SIDES = (32, 48, 64, 96, 128, 160, 192, 224)  # of pictures that are scaled down
_MOST_DENSE = 96  # pixels of the shorter side of images with masks or boxes, without a limit
_WHOLE = 16  # pixels, of which scaled sides of such images are a multiple
_PIXEL_FLOPS = 1_900  # that a small network of fair accuracy spends on each pixel
_LEAST_FOR_MICRO = 16  # pixels a side, which its stem and stages may halve four times
_PIXEL_BYTES = 24  # of RAM for each pixel of an image, which takes 3 itself
_MOST_IN_RAM = 96  # the side of the pictures of MLPerf Tiny and of the `micro96` space
_PLENTY = 8_000  # FLOPs for each pixel of the first maps: with fewer, width pays more than depth
_WIDTHS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
_USUAL_WIDTH = 16
_SAMPLES = 200  # networks drawn to decide on a width
_SHARE = 0.25  # of them must meet the limits; the best networks use much of what is allowed


@dataclass(frozen=True, slots=True)
class Defaults:
    """The choices of a search where its user left them open, and sentences that say why."""

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
    from neptune_nas.data.folder import parse

    text = whole.removeprefix(FOLDER)
    if parse(text)[1] is not None:
        return data, ""
    sides, are_equal, usual = _natural_sides(text)
    natural = min(sides)
    most, limited = _most_side(limits, usual)
    if are_equal and natural <= most:
        return data, ""
    side = max((each for each in _SIDES if each <= min(most, natural)), default=natural)
    why = "since they differ in size" if natural <= most else limited
    end = "" if count is None else f"{COUNT}{count}"
    larger = min(2 * side, natural)
    hint = quote(f"{whole}{SIZE}{_size_text(sides, larger)}{end}")
    height, width = _scaled(sides, side)
    return f"{whole}{SIZE}{_size_text(sides, side)}{end}", (
        f"Pictures: scaled to {width}x{height} pixels {why} (their shorter sides have "
        f"{'' if are_equal else 'about '}{natural})"
        f"{f'; `data` (--data) {hint} takes larger ones' if larger > side else ''}."
    )


def _natural_sides(text: str) -> tuple[tuple[int, int], bool, int]:
    """Return height and width of a folder's images, whether all are equal, and the usual most.

    Images of classes become squares; those with masks or boxes keep their shape.
    """
    from neptune_nas.data.dense_folder import dense_layout, natural_size
    from neptune_nas.data.folder import natural_side, parse

    if layout := dense_layout(parse(text)[0]):
        return *natural_size(layout, text), _MOST_DENSE
    side, are_equal = natural_side(text)
    return (side, side), are_equal, SMALL


def _scaled(sides: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Return sides scaled to a shorter one; the longer one can be halved as often as any is.

    >>> _scaled((360, 480), 96), _scaled((50, 50), 32)
    ((96, 128), (32, 32))
    """
    unit = 1 if shorter == min(sides) else _WHOLE
    longer = max(shorter, round(max(sides) * shorter / min(sides) / unit) * unit)
    return (shorter, longer) if sides[0] <= sides[1] else (longer, shorter)


def _size_text(sides: tuple[int, int], shorter: int) -> str:
    """Return scaled sides as a folder's name has them.

    >>> _size_text((360, 480), 96), _size_text((50, 50), 32)
    ('128x96', '32')
    """
    height, width = _scaled(sides, shorter)
    return f"{height}" if height == width else f"{width}{TIMES}{height}"


def _most_side(limits: Sequence[Constraint], usual: int) -> tuple[float, str]:
    """Return the most pixels a side that the limits can pay for, and which of them decides."""
    flops, sides = _most_flops(limits), [(float(usual), "without a limit on FLOPs")]
    ram = min((each.limit for each in limits if each.name == RAM.name), default=None)
    if flops is not None:
        side = min(sqrt(flops / _PIXEL_FLOPS), _SIDES[-1])
        sides = [(side, f"for at most {short(flops)} FLOPs")]
    if ram is not None:
        side = min(sqrt(ram / _PIXEL_BYTES), _MOST_IN_RAM)
        sides = [*sides[flops is None :], (side, f"for at most {RAM.text(ram)} of RAM")]
    side, why = min(sides)
    return max(_SIDES[0], side), why


def _most_flops(limits: Sequence[Constraint]) -> float | None:
    """Return the most FLOPs that the limits leave, two for each MAC; None without such a limit."""
    flops_each = {COST.name: 1, MACS.name: 2}
    found = (each.limit * flops_each[each.name] for each in limits if each.name in flops_each)
    return min(found, default=None)


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
    images, classes = images_and_classes(name, data_dir)
    used = recipe or default_recipe(images, is_dense=task_named(name) != "classification")
    if rungs is not None:
        return Defaults(name, used, rungs, tuple(reasons))
    if name in ("digits", SCENES, BOXES):
        return Defaults(name, used, DIGITS_RUNGS, tuple(reasons))
    levels = default_rungs(images, classes, used.batch_size)
    steps = -(-images // used.batch_size) * levels[-1]
    reasons.append(
        f"Training: {', '.join(map(str, levels))} {plural(levels[-1], 'epoch')}, "
        f"at most {counted(steps, 'step')} of {used.batch_size} images, for "
        f"{counted(images, 'training image')} of {counted(classes, 'class', 'classes')}; "
        f"`rungs` (--rungs) changes that."
    )
    return Defaults(name, used, levels, tuple(reasons))


def scaled_space(
    data: str, data_dir: Any, limits: Sequence[Constraint], target: Target | None = None
) -> tuple[Space[Any], str]:
    """Return the widest `auto` space of which a quarter or more meets the limits, and why.

    If there is none, return the narrowest. If FLOPs are few for the pixels, stems halve the map, as
    they do for large images, and stages have one SubStage at most. Only what runs on a target
    counts. Limits on costs that are slow to find (timed, or of whole networks) are ignored. Reads a
    user's own data.
    """
    images = load_once(data, data_dir, 0)
    shape, classes = images.input_shape, len(images.classes)
    side = min(shape[1:])
    stride = 1 if side <= SMALL else 2
    halvings = max(1, min((side // stride // 4).bit_length() - 1, 5))
    most = _most_flops(limits)
    is_tight = most is not None and most < _PLENTY * shape[1] * shape[2] / stride**2
    stride, depth = (2, 1) if is_tight else (stride, 2)
    whole = partial(find_module(AUTO).scaled, halvings=halvings, stride=stride, depth=depth)

    def scaled(width: int) -> Space[Any]:
        return restrict(whole(width), target)[0] if target else whole(width)

    slow = [limit for limit in limits if is_timed(limit) or limit.name in WHOLE]
    quick = [limit for limit in limits if limit not in slow]
    left = f"; {_joined(slow)} {plural(len(slow), 'is', 'are')} left to the search" if slow else ""
    if not quick:
        return whole(_USUAL_WIDTH), (
            f"Space: auto, around {_USUAL_WIDTH} channels"
            f"{left or ', since nothing limits its networks'}."
        )
    model, width, share = CostModel(shape, classes), _WIDTHS[0], 0.0
    for wider in _WIDTHS:
        space = scaled(wider)
        found = survey(space, model.value, quick, Random(0), _SAMPLES).share
        if wider > _WIDTHS[0] and found < _SHARE:
            break
        width, share = wider, found
    narrowest = "; it can be no narrower" if share < _SHARE else ""
    return whole(width), (
        f"Space: auto, around {width} channels, of which about {share:.0%} meets {_joined(quick)}"
        f"{narrowest}{left}."
    )


def micro_space(
    data: str, data_dir: Any, limits: Sequence[Constraint], target: Target | None
) -> tuple[Space[Any], str]:
    """Return the space for a microcontroller that suits the images, and why.

    It is `micro`, or `micro96` for images of 64 pixels a side and more; and the scaled `auto` space
    for images so small that `micro` would leave no pixels of them. Reads a user's own data.
    """
    side = min(load_once(data, data_dir, 0).input_shape[1:])
    if target is None or side < _LEAST_FOR_MICRO:
        return scaled_space(data, data_dir, limits, target)
    space = find_space("micro96" if side >= SMALL else "micro")
    return space, (
        f"Space: {space.name}, which {target.runtime} runs in int8, for images of {side} pixels "
        f"a side; `space` (--space) changes that."
    )


def _joined(limits: Sequence[Constraint]) -> str:
    return " and ".join(map(str, limits))


def usual_name(place: str, named: str, data: str, more: str) -> str:
    """Return the name of a study's folder: that of its space, or of the code of it, and the data's.

    `place`, `named`: as `place_of` returns them, or the space's name alone. `more`: what else is
    asked.
    """
    stem = (
        "-".join([Path(place).stem, *([named] if named else [])])
        if place.endswith(".py")
        else place
    )
    return folder_name(f"{stem}-{short_name(data)}{more}")


def check_proxy_rung(proxy: str | None, rungs: Sequence[int] | None) -> None:
    """Refuse an unknown proxy, and one without the rung that it is measured at."""
    if proxy is None:
        return
    if not rungs or rungs[0] > 0:
        got = ",".join(map(str, rungs or ())) or "none"
        raise OptionError(
            f"`proxy` is measured at rung 0: `rungs` must begin with it, as in 0,1,3, but got "
            f"{got}."
        )
    check_proxy(proxy)


def check_numerics(numerics: Numerics | None, recipe: Recipe | None) -> None:
    """Refuse numerics whose precision contradicts the recipe's."""
    precision = recipe.precision if recipe else "auto"
    if numerics and precision not in ("auto", numerics.precision):
        raise OptionError(
            f"`numerics` has precision {numerics.precision}, but the recipe has {precision}: leave "
            f"one of them out."
        )

"""Checks of a space: whether its networks can be built, what it holds, and what they inherit."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from neptune_nas.data.load import load_once
from neptune_nas.errors import ArchitectureError, SpaceError
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import COST
from neptune_nas.models.architecture_file import load
from neptune_nas.models.fit import check_fits
from neptune_nas.models.start import NothingFitsError, Start
from neptune_nas.nn.builder import build, head_task, is_buildable, least_size
from neptune_nas.search.config import Search
from neptune_nas.space import Space, find_space
from neptune_nas.space.locate import find_module, records_of
from neptune_nas.tasks.registry import task_of
from neptune_nas.text import counted

_SAMPLES = 200
_FITTED = 8  # random networks that show how much fits
_SIDES = (64, 32, 224, 28, 16, 8)  # pixels, tried in turn: networks may need any
CHANNELS, OUTPUTS = 3, 10


def check_buildable(space: Space[Any]) -> None:
    """Refuse a space whose records cannot be built into networks, and so cannot be measured."""
    sample = space.sample(Random(0))
    if not is_buildable(sample):
        raise SpaceError(
            f"space '{space.name}' is of {type(sample).__name__} records, which neptune-nas cannot "
            f"build: set `table` (--table) to a table of its networks, give the records a "
            f"`build(input_shape, outputs)`, or build the space from `Architecture`."
        )


def check_networks(search: Search) -> None:
    """Refuse a search whose networks cannot be built, or are not for the task of its data."""
    check_buildable(search.found_space)
    if not search.trains_networks:
        return
    data, rng = load_once(search.question.data, search.data_dir, 0), Random(0)
    for _ in range(_FITTED):
        sample = search.found_space.sample(rng)
        with suppress(ArchitectureError, RuntimeError):  # for images of another size
            check_fits(sample, data)
            if head_task(sample) is None:
                return  # a user's own record, which is built to be checked


def check_space(name: str) -> str:
    """Build a uniform sample on the meta device, and return a sentence on the result.

    The images have the first of some sizes for which all can be built. Where there is none, raises
    the `SpaceError` or `ArchitectureError` of the first size.
    """
    space, rng = find_space(name), Random(0)
    sample = [space.sample(rng) for _ in range(_SAMPLES)]
    least = max(map(least_size, sample))
    side, flops = _flops_on(sample, [side for side in _SIDES if side >= least] or [least])
    count, needed = space.count(), f", which must have at least {counted(least, 'pixel')} a side"
    return (
        f"space '{space.name}' is sound: {counted(count.value, 'architecture')}, {_SAMPLES} of "
        f"them built; {flops[0] / 1e6:.2f} to {flops[-1] / 1e6:.2f} MFLOPs on "
        f"{CHANNELS}x{side}x{side} images{needed if least > 1 else ''}."
    )


def _flops_on(sample: Sequence[Any], sides: Sequence[int]) -> tuple[int, list[float]]:
    """Return the first side for which all architectures can be built, and their FLOPs, rising."""
    refusals: list[ArchitectureError] = []
    for side in sides:
        model = CostModel((CHANNELS, side, side), OUTPUTS)
        try:
            return side, sorted(model.value(COST.name, architecture) for architecture in sample)
        except ArchitectureError as error:
            refusals.append(error)
    raise refusals[0]


def check_membership(name: str, file: Path, allow: Iterable[type] = ()) -> str:
    """Return a sentence with the number of a stored architecture in a space.

    Raises `SpaceError` where the space does not contain it.
    """
    space = find_space(name)
    item = load(file, (*records_of(find_module(name)), *allow))
    if item.architecture not in space:
        raise SpaceError(
            f"space '{space.name}' does not hold {file}: {space.explain(item.architecture)}"
        )
    if not space.is_exact:
        return f"space '{space.name}' holds {file}."
    return f"space '{space.name}' holds {file}, as number {space.index(item.architecture):,}."


def fitting(start: Start, space: Space[Any], name: str, data_dir: str | Path | None) -> str:
    """Return a sentence on a start, with the shares that some random networks inherit from it.

    Raises `OptionError` for a model of another task, and `NothingFitsError` where it fits none.
    """
    data, rng, shares = load_once(name, data_dir, 0), Random(0), list[float]()
    task, misfit = task_of(data), None
    start = start.of(task)
    for _ in range(_FITTED):
        try:
            network = build(space.sample(rng), data.input_shape, task.outputs(data), seed=0)
            shares.append(start.begin(network, data.classes))
        except NothingFitsError as error:
            misfit = error
        except ArchitectureError:
            continue  # for images of another size
    if misfit is not None and not shares:
        raise misfit
    low, high = (f"{100 * share:.0f}" for share in (min(shares), max(shares))) if shares else "??"
    return (
        f"Networks start from {start}: random ones inherit {low} to {high}% of their parameters. "
        f"Such scores cannot be compared with scores from fresh weights."
    )

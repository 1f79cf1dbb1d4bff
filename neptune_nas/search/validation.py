"""Whether a space holds only networks that can be built, and whether it holds a given one."""

from collections.abc import Iterable
from pathlib import Path
from random import Random

from neptune_nas.errors import SpaceError
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import COST
from neptune_nas.models.architecture_file import load
from neptune_nas.nn.builder import least_size
from neptune_nas.space import find_space
from neptune_nas.space.locate import find_module, records_of
from neptune_nas.text import counted

SAMPLES = 200
SIDE = 64  # images large enough for most spaces; too small a one says which size is needed


def check_space(name: str) -> str:
    """Build a uniform sample on the meta device; one sentence that says what was found.

    Raises `SpaceError` or `ArchitectureError` for the first that cannot be built.
    """
    space, rng = find_space(name), Random(0)
    sample = [space.sample(rng) for _ in range(SAMPLES)]
    least = max(map(least_size, sample))
    model = CostModel((3, max(SIDE, least), max(SIDE, least)), 10)
    flops = sorted(model.value(COST.name, architecture) for architecture in sample)
    count = space.count()
    return (
        f"space '{space.name}' is sound: {counted(count.value, 'architecture')}, {SAMPLES} of them "
        f"built; {flops[0] / 1e6:.2f} to {flops[-1] / 1e6:.2f} MFLOPs on 3x{model.input_shape[1]}x"
        f"{model.input_shape[2]} images, which must have at least {counted(least, 'pixel')} a "
        f"side."
    )


def check_inside(name: str, file: Path, allow: Iterable[type] = ()) -> str:
    """Say the number of a stored architecture in a space, or raise `SpaceError` if it has none."""
    space = find_space(name)
    item = load(file, (*records_of(find_module(name)), *allow))
    if item.architecture not in space:
        raise SpaceError(
            f"space '{space.name}' does not hold {file}: {space.explain(item.architecture)}"
        )
    if not space.is_exact:
        return f"space '{space.name}' holds {file}."
    return f"space '{space.name}' holds {file}, as number {space.index(item.architecture):,}."

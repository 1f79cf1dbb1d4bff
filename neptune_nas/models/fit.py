"""The check that a network does the task of a data set, by its head or its outputs."""

from typing import TypeGuard

import torch
from torch import Tensor

from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.data.images import ImageData
from neptune_nas.errors import OptionError, OwnCodeError
from neptune_nas.nn.builder import build, head_task
from neptune_nas.nn.user_modules import builds_itself
from neptune_nas.tasks.registry import task_of


def check_fits(architecture: Architecture | Network, data: ImageData) -> None:
    """Refuse a network for another task than that of the data.

    A user's own is built, on the meta device, for its output is all that is known of it. Raises
    `OptionError`, or `OwnCodeError` for a user's own.
    """
    task, head = task_of(data), head_task(architecture)
    if head is not None:
        if head != task.name:
            raise OptionError(
                f"the network's head is for {head}, but data '{data.name}' is for {task.name}: "
                f"take a space, or a network, whose head is for {task.name}."
            )
        return
    if not builds_itself(architecture):
        return
    outputs = task.outputs(data)
    wanted = task.output_shape(outputs, *data.input_shape[1:])
    with torch.device("meta"), torch.no_grad():
        network = build(architecture, data.input_shape, outputs, seed=0).eval()
        found = network(torch.empty(1, *data.input_shape))
    if not is_shape(found, (1, *wanted)):
        got = tuple(found.shape[1:]) if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise OwnCodeError(
            f"`{type(architecture).__name__}` must build a network that gives outputs "
            f"{shape_text(wanted)} for N images of {task.name}, but for one image it gave {got}."
        )


def is_shape(found: object, wanted: tuple[int | None, ...]) -> TypeGuard[Tensor]:
    """Return whether something is a tensor of a shape, where None stands for any size."""
    if not isinstance(found, Tensor) or found.ndim != len(wanted):
        return False
    return all(size in (None, each) for each, size in zip(found.shape, wanted, strict=True))


def shape_text(wanted: tuple[int | None, ...]) -> str:
    """Return the shape of outputs in words.

    >>> shape_text((10,)), shape_text((None, 16))
    ('(N, 10)', '(N, any, 16)')
    """
    return f"(N, {', '.join('any' if size is None else str(size) for size in wanted)})"

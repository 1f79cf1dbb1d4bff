"""Modules that a user's records build, with code that may fail in any way."""

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from neptune_nas.architecture.fields import require_classes
from neptune_nas.architecture.records import Network
from neptune_nas.errors import (
    ArchitectureError,
    NeptuneError,
    OwnCodeError,
    failure_text,
    file_with,
)
from neptune_nas.files.schema import cut
from neptune_nas.nn.convolutions import mend
from neptune_nas.nn.dense_heads import LENGTHS
from neptune_nas.nn.model_zoo import without_weights


def build_module(record: Any, *arguments: object) -> nn.Module:
    """Return the module that `record.build(*arguments)` makes, its convolutions mended.

    Raises `OwnCodeError`, with the line that fails, for anything but a module, and
    `ArchitectureError` for a record that contains one of unknown class. Errors of torch, such as
    for memory or shapes that do not fit, pass unchanged: the caller knows more about them.
    """
    require_classes(record)
    cls = type(record)
    call = f"`{cls.__name__}.build({', '.join(map(cut, arguments))})`"
    try:
        module = record.build(*arguments)
    except (NeptuneError, RuntimeError):
        raise
    except (Exception, SystemExit) as error:
        raise OwnCodeError(
            f"{call} failed{failure_text(error, file_with(cls), named=True)}"
        ) from error
    if not isinstance(module, nn.Module):
        raise OwnCodeError(
            f"`{cls.__name__}.build` must return a torch.nn.Module, but got {cut(module)}."
        )
    return mend(module)


def builds_itself(architecture: object) -> TypeGuard[Network]:
    """Return whether a record is a user's that builds its network."""
    return callable(getattr(architecture, "build", None))


def check_builds(architecture: object) -> None:
    """Refuse a record that builds no network, or has a part of unknown class."""
    require_classes(architecture)
    if not builds_itself(architecture):
        raise ArchitectureError(
            f"only an `Architecture` can be built, or a record with `build(input_shape, outputs)`, "
            f"but this is a {type(architecture).__name__}: a space of other networks can be "
            f"searched only with a table of them."
        )


def build_network(
    architecture: Network, input_shape: tuple[int, int, int], outputs: int
) -> nn.Module:
    """Return the network of a user's record for images `(C, H, W)`.

    If the meta device is the default, no weights of libraries are read; if `build` needs values
    there, it builds on the CPU instead.
    Raises `ArchitectureError` for a record that builds no network.
    """
    check_builds(architecture)
    on_meta = torch.get_default_device().type == "meta"
    if on_meta:
        architecture = without_weights(architecture)
    try:
        return build_module(architecture, input_shape, outputs)
    except RuntimeError:
        if not on_meta:
            raise
        with torch.device("cpu"):
            return build_module(architecture, input_shape, outputs).to("meta")


def check_logits(found: object, architecture: Network, outputs: int) -> None:
    """Refuse any output of a user's network but those of a task for one image.

    They are logits `(N, outputs)` or `(N, outputs, H, W)`, or points `(N, P, 6 + outputs)`.
    """
    sizes = {2: (1, outputs), 3: (2, LENGTHS + outputs), 4: (1, outputs)}  # by dimensions
    if isinstance(found, Tensor) and found.ndim in sizes:
        place, size = sizes[found.ndim]
        if found.shape[place] == size:
            return
    got = tuple(found.shape) if isinstance(found, Tensor) else f"a {type(found).__name__}"
    raise OwnCodeError(
        f"`{type(architecture).__name__}` must build a network that gives logits (N, {outputs}) "
        f"for N images, (N, {outputs}, H, W) for segmentation or points (N, any, "
        f"{LENGTHS + outputs}) for detection, but for one image it gave {got}."
    )

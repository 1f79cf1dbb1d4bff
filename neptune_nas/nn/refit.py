"""The transfer of trained weights to a module with another number of input channels."""

import copy
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from neptune_nas.errors import ArchitectureError


@runtime_checkable
class _Refittable(Protocol):
    """A module that can make a fresh copy of itself for another number of input channels."""

    in_channels: Any

    def accepting(self, in_channels: Any) -> Self:
        """Return a fresh module with all its settings but `in_channels`."""


def refit(module: nn.Module, in_channels: int | tuple[int, ...]) -> nn.Module:
    """Return a copy for `in_channels`, with the weights of the channels that both have.

    A module that reads several maps has the channels of each.
    """
    if not isinstance(module, _Refittable):
        raise ArchitectureError(
            f"`{type(module).__name__}` cannot be fitted to {in_channels} input channels: "
            f"give it an attribute `in_channels` and a method `accepting(in_channels)`."
        )
    if module.in_channels == in_channels:
        return copy.deepcopy(module)
    fresh = module.accepting(in_channels)
    fresh.train(module.training)
    _copy_overlap(module, fresh)
    return fresh


def _copy_overlap(source: nn.Module, target: nn.Module) -> None:
    """Copy the overlap of tensors with equal names."""
    old = source.state_dict()
    for name, new in target.state_dict().items():
        if name in old:
            copy_overlap(new, old[name])


def copy_overlap(new: Tensor, old: Tensor) -> int:
    """Copy the overlap of two tensors, the leading part of each axis; return how many values.

    Kernels, the last two of at least four axes, overlap in their centre. A kernel that becomes
    larger is zero around the old one, and so computes the same.
    """
    kernel = new.ndim - 2 if new.ndim > 3 else new.ndim
    into, out_of = list[slice](), list[slice]()
    for axis, (ours, theirs) in enumerate(zip(new.shape, old.shape, strict=True)):
        size, is_pixels = min(ours, theirs), axis >= kernel
        for found, side in ((into, ours), (out_of, theirs)):
            first = (side - size) // 2 if is_pixels else 0
            found.append(slice(first, first + size))
    with torch.no_grad():
        new[tuple(into[:kernel])] = 0
        new[tuple(into)] = old[tuple(out_of)]
    return old[tuple(out_of)].numel()

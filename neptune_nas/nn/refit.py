"""The transfer of trained weights to a module with another number of input channels."""

import copy
from typing import Protocol, Self, runtime_checkable

import torch
from torch import nn

from neptune_nas.errors import ArchitectureError


@runtime_checkable
class Refittable(Protocol):
    """A module that can make a fresh copy of itself for another number of input channels."""

    in_channels: int

    def accepting(self, in_channels: int) -> Self:
        """Return a fresh module with all its settings but `in_channels`."""


def refit(module: nn.Module, in_channels: int) -> nn.Module:
    """Return a copy for `in_channels`, with the weights of the channels that both have."""
    if not isinstance(module, Refittable):
        raise ArchitectureError(
            f"`{type(module).__name__}` cannot be fitted to {in_channels} input channels: "
            f"give it an attribute `in_channels` and a method `accepting(in_channels)`."
        )
    if module.in_channels == in_channels:
        return copy.deepcopy(module)
    fresh = module.accepting(in_channels)
    fresh.train(module.training)
    copy_overlap(module, fresh)
    return fresh


def copy_overlap(source: nn.Module, target: nn.Module) -> None:
    """Copy the overlap of tensors with equal names: the leading part of every axis."""
    old = source.state_dict()
    with torch.no_grad():
        for name, new in target.state_dict().items():
            if name in old:
                shared = tuple(map(slice, map(min, new.shape, old[name].shape)))
                new[shared] = old[name][shared]

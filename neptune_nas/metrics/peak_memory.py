"""The peak memory of a network, counted on the meta device."""

import copy
import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from neptune_nas.graphs.lowering import DispatchMode
from neptune_nas.nn.builder import Shape


def peak_memory(
    network: nn.Module, input_shape: Shape, batch: int = 1, *, training: bool = False
) -> int:
    """Return the peak bytes of live tensors in one pass over `batch` images.

    Counted on the meta device: parameters, images and all intermediate results, but neither the
    workspace of kernels nor the overhead of an allocator. With `training`, a backward pass follows,
    so that the tensors saved for it, and the gradients, count too.
    """
    ghost = copy.deepcopy(network).to("meta").train(training)
    meter = _MemoryMeter()
    with meter:
        for tensor in (*ghost.parameters(), *ghost.buffers()):
            meter.note(tensor)
        images = torch.empty(batch, *input_shape, device="meta")
        with torch.set_grad_enabled(training):
            logits = ghost(images)
            if training:
                logits.sum().backward()
    return meter.peak


class _MemoryMeter(DispatchMode):
    """Tracks the bytes of all live storages, and their peak."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self.known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and record its outputs."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self.note(leaf)
        return out

    def note(self, tensor: torch.Tensor) -> None:
        """Count the storage of a tensor until it is freed."""
        storage = tensor.untyped_storage()
        if storage not in self.known:
            self.known.add(storage)
            self.alive += storage.nbytes()
            self.peak = max(self.peak, self.alive)
            weakref.finalize(storage, self.forget, storage.nbytes())

    def forget(self, size: int) -> None:
        """Subtract the bytes of a storage that was freed."""
        self.alive -= size

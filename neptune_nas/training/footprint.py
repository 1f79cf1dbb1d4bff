"""How much memory of an accelerator training a network takes, told without training it.

The network runs once on the meta device, so that what autograd keeps is counted tensor by tensor.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from neptune_nas.architecture.records import Architecture
from neptune_nas.devices.mode import Kind, Modes
from neptune_nas.errors import ArchitectureError, OwnCodeError
from neptune_nas.nn.builder import Shape, build
from neptune_nas.training.kinds import kind_of
from neptune_nas.training.measure import BATCH
from neptune_nas.training.recipe import Recipe

IMAGES = 2  # the fewest that batch norm can train on where a map is a single pixel
SINGLE, HALF = 4, 2  # bytes of a number in float32 and in bfloat16
MOMENTS = {"adamw": 2, "adam": 2, "sgd": 1}  # numbers an optimiser holds for each parameter
AT_ONCE = 3  # maps as large as the largest, where nothing is kept
HEADROOM = 1.15  # for gradients on their way; both are measured: docs/benchmarks.md, Memory


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a network holds: `params` numbers, and bytes for each image, all in float32.

    `kept`: by autograd, from the forward to the backward pass. `largest`: the largest tensor of it.
    `kind`: the network's, by which it is trained in one precision or the other.
    """

    params: int
    kept: int
    largest: int
    kind: Kind = "dense"


def training_bytes(footprint: Footprint, recipe: Recipe, modes: Modes | None = None) -> int:
    """The bytes of tensors at the highest while a network is trained and measured by a recipe.

    `modes`: of the kinds of networks (default: the recipe's precision). An upper estimate:
    gradients of weights, which come as what autograd kept goes, are added to all of it, and in
    bfloat16 maps are counted as in float32, since not all of them are halved.
    """
    precision = modes.of(footprint.kind).precision if modes else recipe.precision
    copies = 0 if precision == "fp32" else HALF  # autocast's of the weights
    held = footprint.params * (SINGLE * (2 + MOMENTS[recipe.optimizer]) + copies)
    maps = max(recipe.batch_size * footprint.kept, BATCH * AT_ONCE * footprint.largest)
    return held + ceil(HEADROOM * maps)


def footprint_of(architecture: Architecture, input_shape: Shape, classes: int) -> Footprint:
    """The footprint on images `(C, H, W)`, with attention as an accelerator computes it.

    Raises `ArchitectureError` for a network that cannot be built for the images, or cannot train on
    the meta device.
    """
    try:
        with torch.device("meta"):
            network = build(architecture, input_shape, classes)
            images = torch.empty(IMAGES, *input_shape)
        sizes = kept_by(network, images.to(memory_format=torch.channels_last))
    except (ArchitectureError, OwnCodeError):
        raise
    except Exception as error:  # torch's own, or whatever a user's SubStage raises
        raise ArchitectureError(
            f"cannot be trained on the meta device: {type(error).__name__}: {error}"
        ) from error
    params = sum(parameter.numel() for parameter in network.parameters())
    return Footprint(params, sum(sizes) // IMAGES, max(sizes) // IMAGES, kind_of(network))


def kept_by(network: nn.Module, images: Tensor) -> list[int]:
    """The bytes of each storage that autograd keeps of a forward pass, those of weights aside.

    `images`: `(N, C, H, W)`. The network is left in training mode.
    """
    saved: dict[int, Tensor] = {}  # held, or another tensor could take a place that is counted

    def pack(tensor: Tensor) -> Tensor:
        saved[place(tensor)] = tensor
        return tensor

    with Fused(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = network.train()(images)
    weights = {place(parameter) for parameter in network.parameters()}
    kept = {**saved, place(output): output}  # the loss keeps the logits
    return [size(tensor) for where, tensor in kept.items() if where not in weights]


def place(tensor: Tensor) -> int:
    """Where a tensor is stored, as a number; told apart even on the meta device."""
    number: int = tensor.untyped_storage()._cdata
    return number


def size(tensor: Tensor) -> int:
    """The bytes of a tensor's storage, all of which stay as long as it does."""
    return tensor.untyped_storage().nbytes()


class Fused(TorchFunctionMode):
    """Attention by a kernel that keeps no scores, which torch would not take on the meta device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch, or for attention the kernel."""
        if func is F.scaled_dot_product_attention and len(args) == 3 and not kwargs:
            return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*args)[0]
        return func(*args, **(kwargs or {}))

"""The pruning of networks: the removal of blocks, and of channels with small weights."""

import warnings
from collections import Counter
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn

from neptune_nas.errors import ArchitectureError, check_installed, first_line
from neptune_nas.files.schema import cut
from neptune_nas.nn.builder import Shape, build
from neptune_nas.nn.model_zoo import Pruned

_LAYERS = (nn.Conv2d, nn.Linear)
_BLOCK = 2  # the fewest layers of a block: a norm and its activation are not one


def pruned_network(record: Pruned, input_shape: Shape, outputs: int) -> nn.Module:
    """Return the network of a record; see `Pruned.build`."""
    # Also inside inference mode, whose tensors have no gradients to follow.
    with torch.inference_mode(False), torch.enable_grad():
        network: nn.Module = build(record.network, input_shape, outputs)
        images = torch.zeros(1, *input_shape)
        try:
            if record.depth < 1:
                drop_blocks(network, images, record.depth)
            if record.width < 1:
                narrow(network, images, record.width)
        except ArchitectureError as error:
            raise ArchitectureError(f"{cut(record.network)} cannot be pruned: {error}") from error
    return network


def drop_blocks(network: nn.Module, images: Tensor, share: float) -> None:
    """Replace the last blocks of each stage by identities; keep a `share`, at least one block.

    Raises `ArchitectureError` for a network that has no stage of several blocks.
    """
    shapes = _shapes(network, images)
    stages = _stages(network, shapes)
    if not stages:
        raise ArchitectureError(
            "it has no stage of several blocks that keep the shape of their map: leave its `depth` "
            "at 1."
        )
    for stage in stages:
        for name in stage[ceil(share * len(stage)) :]:
            network.set_submodule(name, nn.Identity())


def _shapes(network: nn.Module, images: Tensor) -> dict[str, tuple[object, object]]:
    """Return the shapes of each module's input and output, by its name."""
    found: dict[str, tuple[object, object]] = {}

    def note(name: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            source = getattr(inputs[0], "shape", None) if len(inputs) == 1 else None
            found[name] = source, getattr(output, "shape", None)

        return hook

    handles = [each.register_forward_hook(note(name)) for name, each in network.named_modules()]
    _run(network, images)
    for handle in handles:
        handle.remove()
    return found


def _run(network: nn.Module, images: Tensor) -> None:
    mode = network.training
    with torch.no_grad():
        network.eval()(images)
    network.train(mode)


def _stages(
    network: nn.Module, shapes: dict[str, tuple[object, object]], prefix: str = ""
) -> list[list[str]]:
    """Return the names of the blocks of each stage that has several.

    A stage is a block and the following ones that keep the shape of its map.

    Blocks are several children of one module that have the same class, and each several layers but
    no stages inside; at least one of them keeps the shape of its map.
    """
    children = [(f"{prefix}{name}", each) for name, each in network.named_children()]
    inside = {name: _stages(each, shapes, f"{name}.") for name, each in children}
    kept = {name for name, _ in children if name in shapes and shapes[name][0] == shapes[name][1]}
    often = Counter(type(each) for _, each in children)
    blocks = {
        type(each)
        for name, each in children
        if name in kept and _is_block(each) and often[type(each)] > 1 and not inside[name]
    }
    stages: list[list[str]] = []
    last: type | None = None
    for name, each in children:
        if type(each) not in blocks:
            stages += inside[name]
        elif name in kept and type(each) is last:
            stages[-1].append(name)
        else:
            stages.append([name])
        last = type(each)
    return [stage for stage in stages if len(stage) > 1]


def _is_block(module: nn.Module) -> bool:
    layers = sum(isinstance(each, _LAYERS) for each in module.modules())
    return not isinstance(module, nn.Sequential) and layers >= _BLOCK


def narrow(network: nn.Module, images: Tensor, share: float) -> None:
    """Keep a share of the channels of each layer: those whose weights have the largest norm.

    Layers whose channels must match, as around a shortcut, lose the same ones. The layer that
    outputs the classes keeps all of them. Raises `ArchitectureError` where a network cannot be
    pruned in this way, and a `NeptuneError` without the extra `pruning`.
    """
    check_installed("`Pruned.width`", ["torch_pruning"], "pruning")
    import torch_pruning

    if any("Attention" in type(each).__name__ for each in network.modules()):
        raise ArchitectureError(
            "its attention cannot lose channels, which must fit its heads: leave its `width` at 1."
        )
    learns = {name: each.requires_grad for name, each in network.named_parameters()}
    network.requires_grad_(True)  # the library follows gradients from layer to layer
    importance: Any = torch_pruning.importance.GroupMagnitudeImportance()
    mode, before = network.training, _widths(network)
    try:
        with torch.device("cpu"), warnings.catch_warnings(action="ignore"):
            torch_pruning.pruner.BasePruner(
                network.eval(),
                images,
                _first if images.is_meta else importance,
                pruning_ratio=1 - share,
                ignored_layers=[_last_layer(network, images)],
                in_channel_groups={},  # the library's defaults are shared between calls
                out_channel_groups={},
                num_heads={},
            ).step()
        _run(network, images)
    except Exception as error:
        if images.is_meta and isinstance(error, RuntimeError):
            raise  # it needs values: the builder goes on without the meta device
        raise ArchitectureError(
            f"its layers cannot lose channels ({first_line(error)}): leave its `width` at 1."
        ) from error
    finally:
        for name, each in network.named_parameters():
            each.requires_grad_(learns[name])
        network.train(mode)
    if _widths(network) == before:
        raise ArchitectureError(
            "no layer has channels that can be removed: leave its `width` at 1, or lower it."
        )


def _first(group: Any) -> Tensor:
    """Return an arbitrary order of channels, for weights that have no values on the meta device."""
    return torch.arange(len(group[0].idxs), dtype=torch.float32, device="cpu")


def _last_layer(network: nn.Module, images: Tensor) -> nn.Module:
    """Return the layer that runs last, which puts out the classes."""
    ran: list[nn.Module] = []
    layers = [each for each in network.modules() if isinstance(each, _LAYERS)]
    handles = [each.register_forward_hook(lambda each, *_: ran.append(each)) for each in layers]
    _run(network, images)
    for handle in handles:
        handle.remove()
    return ran[-1]


def _widths(network: nn.Module) -> list[torch.Size]:
    return [each.shape for each in network.parameters()]

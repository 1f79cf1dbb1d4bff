"""The weights that a network inherits from a trained one, of another architecture or its own."""

from collections.abc import Iterable, Iterator

from torch import Tensor, nn

from neptune_nas.nn.heads import StemBlock
from neptune_nas.nn.network import Neptune
from neptune_nas.nn.refit import copy_overlap
from neptune_nas.nn.stage import Cell, StageBlock
from neptune_nas.nn.substages import (
    Convolution,
    FeedForwardBlock,
    InvertedResidualBlock,
    Projection,
    SelfAttention,
)

_ELASTIC = (Convolution, Projection, InvertedResidualBlock, SelfAttention, FeedForwardBlock)
_CLASSIFIERS = (
    "linear.",
    "classify.",
    "classify_large.",
    "predictors.",
)  # have an output per class
_Pairs = Iterator[tuple[str, Tensor, Tensor]]  # a name, the new tensor, the trained one


def inherit(network: nn.Module, trained: nn.Module, *, classifier: bool) -> float:
    """Copy from `trained` what fits `network`; return the share, 0..1, of its parameters copied.

    Between two Neptune networks, stages are matched in order, and the SubStages of a stage in order
    and by kind; where sizes differ, the overlap is copied. Between other networks, tensors of equal
    name and shape are copied. Buffers, such as the statistics of a batch norm, are copied with the
    parameters. `classifier`: whether the last layer, which belongs to the classes, is copied too.
    """
    if isinstance(network, Neptune) and isinstance(trained, Neptune):
        found = _matched(network, trained, classifier)
    else:
        found = _namesakes(network, trained, classifier)
    learned = {each.untyped_storage().data_ptr() for each in network.parameters()}
    copied = 0
    for _, new, old in found:
        values, place = copy_overlap(new.detach(), old.detach()), new.untyped_storage().data_ptr()
        copied += values if place in learned else 0
        learned.discard(place)  # shared layers have several names
    return copied / max(1, sum(each.numel() for each in network.parameters()))


def _namesakes(network: nn.Module, trained: nn.Module, classifier: bool) -> _Pairs:
    """Yield the tensors of equal name and shape; the last module with parameters classifies."""
    *_, last = "", *(name.rpartition(".")[0] for name, _ in network.named_parameters())
    for name, new, old in _in_blocks(network, trained):
        if new.shape == old.shape and (classifier or name.rpartition(".")[0] != last):
            yield name, new, old


def _matched(network: Neptune, trained: Neptune, classifier: bool) -> _Pairs:
    """Yield the tensors of two Neptune networks that overlap."""
    yield from _in_stems(network.stem, trained.stem)
    for new, old in zip(network.stages, trained.stages, strict=False):
        assert isinstance(new, StageBlock)
        assert isinstance(old, StageBlock)
        if _kind(new.entry) == _kind(old.entry):
            yield from _in_blocks(new.entry, old.entry)
        for ours, theirs in ((new.pool, old.pool), (new.norm, old.norm)):
            if type(ours) is type(theirs):
                yield from _in_blocks(ours, theirs)
        for cell, other in _same_kind(new.substages, old.substages):
            yield from _in_cells(cell, other)
    for name, tensor, found in _in_blocks(network.head, trained.head):
        if classifier or not name.startswith(_CLASSIFIERS):
            yield name, tensor, found


def _in_stems(new: StemBlock, old: StemBlock) -> _Pairs:
    """Yield the tensors of two stems.

    A grey image counts as a colour image with three equal channels: the weight of grey is divided
    among the colours, and the weights of the colours are summed for grey.
    """
    weight, channels = old.conv.weight, new.in_channels
    if channels != old.in_channels and 1 in (channels, old.in_channels):
        weight = weight.sum(1, keepdim=True).expand(-1, channels, -1, -1) / channels
    yield "conv.weight", new.conv.weight, weight
    yield from _in_blocks(new.norm, old.norm)


def _same_kind(new: Iterable[nn.Module], old: Iterable[nn.Module]) -> Iterator[tuple[Cell, Cell]]:
    """Yield pairs of SubStages: the first, second, ... of each kind in both stages."""
    waiting = [each for each in old if isinstance(each, Cell) and each.op is not None]
    for cell in new:
        assert isinstance(cell, Cell)
        kin = [each for each in waiting if _kind(each.op) == _kind(cell.op)]
        if kin:
            waiting.remove(kin[0])
            yield cell, kin[0]


def _kind(block: nn.Module | None) -> tuple[object, ...]:
    """Return what two operations must have in common for their channels to correspond."""
    match block:
        case Convolution():
            return Convolution, block.groups
        case InvertedResidualBlock():
            return InvertedResidualBlock, block.expansion == 1, block.kind
    return (type(block),)


def _in_cells(new: Cell, old: Cell) -> _Pairs:
    """Yield the tensors of two SubStages of one kind; in a user's own, those of equal shape."""
    assert new.op is not None
    assert old.op is not None
    for name, ours, theirs in _in_blocks(new.op, old.op):
        if isinstance(new.op, SelfAttention) and name.startswith("key_value."):
            yield name, _in_two(ours), _in_two(theirs)
        elif isinstance(new.op, _ELASTIC) or ours.shape == theirs.shape:
            yield name, ours, theirs
    if type(new.norm) is type(old.norm):
        yield from _in_blocks(new.norm, old.norm)
    if new.project is not None and old.project is not None:
        for name, ours, theirs in _in_blocks(new.project, old.project):
            yield name, _by_source(ours), _by_source(theirs)


def _in_two(both: Tensor) -> Tensor:
    """Return keys and values `(2 C, ...)` as `(2, C, ...)`, so that each overlaps its kind."""
    return both.view(2, -1, *both.shape[1:])


def _by_source(weight: Tensor) -> Tensor:
    """Return the weight `(C, sources * C, 1, 1)` as `(C, sources, C, 1, 1)`, a bias as it is."""
    return weight if weight.ndim == 1 else weight.view(len(weight), -1, len(weight), 1, 1)


def _in_blocks(new: nn.Module, old: nn.Module) -> _Pairs:
    """Yield the tensors that have one name in two blocks, and belong to layers that are alike."""
    ours, theirs = (dict(each.named_modules(remove_duplicate=False)) for each in (new, old))
    trained = old.state_dict(keep_vars=True)
    for name, tensor in new.state_dict(keep_vars=True).items():
        found, place = trained.get(name), name.rpartition(".")[0]
        if not isinstance(tensor, Tensor) or not isinstance(found, Tensor):
            continue
        if tensor.ndim == found.ndim and _are_alike(ours[place], theirs[place]):
            yield name, tensor, found


def _are_alike(new: nn.Module, old: nn.Module) -> bool:
    """Return whether the overlapping channels of two layers read the same input channels."""
    if not (isinstance(new, nn.Conv2d) and isinstance(old, nn.Conv2d)):
        return True
    depthwise = [each.groups == each.in_channels == each.out_channels for each in (new, old)]
    plain = [each.groups == 1 for each in (new, old)]
    alike = new.weight.shape == old.weight.shape and new.groups == old.groups
    return all(depthwise) or all(plain) or alike

"""Networks of torchvision and timm by name, as records: options of a space like any other.

The records are light; what they build is in `neptune_nas.nn.pretrained`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from neptune_nas.architecture.fields import Open, UnknownRecord, is_plain, is_record, values_of
from neptune_nas.errors import ArchitectureError
from neptune_nas.files.regular import is_file, sha256_of
from neptune_nas.files.rules import NOT_EMPTY, OptionalSize, Share, above, at_most
from neptune_nas.files.schema import check

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")
WEIGHTS_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".th", ".tar", ".ckpt")
_Name = Annotated[str, NOT_EMPTY]
_Rate = Annotated[float, above(0), at_most(1)]


@dataclass(frozen=True, slots=True)
class ZooModel:
    """The fields of a network from a library, which knows it by name.

    `resolution`: the side, in pixels, to which images are resized inside the network (0: not
    resized). Costs are counted at that size, and exported files resize too. `weights`: None
    initialises them at random; the path of a file loads the state dict of such a network
    (safetensors, or of `torch.save`); "DEFAULT" makes the library load its own. The classifier
    stays fresh where the number of classes differs, and the first convolution is fitted to the
    channels of the images. `frozen`: the share of the layers, counted from the first, whose weights
    stay and whose norms keep their statistics; with 1, only the classifier is trained.
    `first_rate`: the learning rate of the first layer, as a share of the classifier's; in between,
    it rises by the same factor from layer to layer (arXiv 1801.06146). Raises `ArchitectureError`
    for values out of their range.
    """

    name: _Name
    resolution: OptionalSize = 0
    weights: _Name | None = None
    frozen: Share = 0.0
    first_rate: _Rate = 1.0

    def __post_init__(self) -> None:
        check(self, ArchitectureError, type(self).__name__, Open)


@dataclass(frozen=True, slots=True)
class TorchvisionModel(ZooModel):
    """A classification network of torchvision by its name there, such as "mobilenet_v3_small".

    `weights` may also name one of torchvision's sets, such as "IMAGENET1K_V1". Fields: see
    `ZooModel`.
    """

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> "nn.Module":
        """Return the network for images `(C, H, W)`: logits `(N, outputs)`.

        Raises `OptionError` for an unknown name or set of weights, and `FileFormatError` for a file
        of weights that cannot be read or belongs to another network.
        """
        from neptune_nas.nn.pretrained import torchvision_model  # imports torch

        return torchvision_model(self, input_shape, outputs)


@dataclass(frozen=True, slots=True)
class TimmModel(ZooModel):
    """A network of timm by its name there, such as "mobilenetv3_small_050.lamb_in1k".

    The name may say, after a dot, which weights are the "DEFAULT" ones. It needs the extra `timm`.
    Fields: see `ZooModel`.
    """

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> "nn.Module":
        """Return the network for images `(C, H, W)`; raises as `TorchvisionModel.build` does."""
        from neptune_nas.nn.pretrained import timm_model  # imports torch

        return timm_model(self, input_shape, outputs)


@dataclass(frozen=True, slots=True)
class Pruned:
    """A network with fewer blocks and channels: a `TorchvisionModel`, or any record with `build`.

    `network`: the record of the whole network, with its weights. `depth`: the share of the blocks
    that is kept in each stage; the last ones are removed, since later blocks refine least (arXiv
    1612.07771). A stage is a block that changes the shape of the map and the following blocks that
    keep that shape. `width`: the share of the channels that is kept in each layer: those whose
    weights have the largest norm (arXiv 1608.08710), the same ones in all layers whose channels
    must match (DepGraph, arXiv 2301.12900); it needs the extra `pruning`. How many are kept depends
    on the shares alone, so costs are known before weights are. A pruned network must be trained
    further. Raises `ArchitectureError` for values out of their range.
    """

    network: Any
    width: _Rate = 1.0
    depth: _Rate = 1.0

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "Pruned", Open)

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> "nn.Module":
        """Return the network for images `(C, H, W)`: logits `(N, outputs)`.

        Raises `ArchitectureError` for a network without blocks to remove, or whose channels cannot
        be pruned.
        """
        from neptune_nas.nn.pruning import pruned_network  # imports torch

        return pruned_network(self, input_shape, outputs)


ZOO: tuple[type, ...] = (TorchvisionModel, TimmModel, Pruned)
"""The toolkit's records of library networks and of pruned ones; any file may name them."""


def without_weights(value: T) -> T:
    """Return a record whose library networks, however deeply nested, read no weights.

    It is for callers that need only shapes, or load other weights afterwards.
    """
    if isinstance(value, ZooModel):
        return replace(value, weights=None)
    again: Callable[[Any], Any] = without_weights
    if isinstance(value, tuple):
        return type(value)(map(again, value)) if any(map(is_record, value)) else value
    if not is_record(value) or isinstance(value, UnknownRecord):
        return value
    record: Any = value
    inner = {name: each for name, each in values_of(record).items() if not is_plain(each)}
    new = {name: again(each) for name, each in inner.items()}
    changed = {name: each for name, each in new.items() if each != inner[name]}
    return replace(record, **changed) if changed else value


def is_weights_file(weights: str) -> bool:
    """Return whether the `weights` of a library network name a file, not a set of the library."""
    return weights.endswith(WEIGHTS_SUFFIXES) or Path(weights).name != weights


def weights_digests(value: object) -> dict[str, str]:
    """Return the SHA-256 of each file of weights that a record or a template names, by its path.

    A missing file is left out: what is trained already does not need it.
    """
    files = sorted({*_weights_files(value)})
    return {name: sha256_of(Path(name)) for name in files if is_file(Path(name))}


def _weights_files(value: object, inside: bool = False) -> Iterator[str]:
    """Yield the files in `weights` of library networks, options of open fields included."""
    if inside and isinstance(value, str):
        if is_weights_file(value):
            yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _weights_files(item, inside)
    elif is_record(value):
        for name, item in values_of(value).items():
            of_zoo = isinstance(value, ZooModel) and name == "weights"
            yield from _weights_files(item, of_zoo or (inside and isinstance(value, Open)))

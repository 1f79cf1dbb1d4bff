"""Weights from elsewhere: fitted to the channels and classes of a network, or refused."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from neptune_nas.errors import FileFormatError

_WRAPPERS = ("module.", "_orig_mod.", "network.")
"""Prefixes of all names in states of data-parallel or compiled networks, and in our files."""
_UNUSED = ("aux", "AuxLogits")  # how the names of classifiers begin that only training uses


def check_weights(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Refuse weights with other names, shapes or dtypes than `network`, naming the first.

    The network may be on the meta device, where it takes no memory whatever its size.
    """
    wanted = network.state_dict()
    for name in sorted({*wanted} ^ {*state}):
        broken = "is missing" if name in wanted else "is not in the network"
        raise FileFormatError(f"weights do not fit the network: `{name}` {broken}.")
    for name, value in wanted.items():
        got = state[name]
        if value.shape != got.shape:
            raise FileFormatError(
                f"weights do not fit the network: `{name}` must have the shape "
                f"{tuple(value.shape)}, but has {tuple(got.shape)}."
            )
        if value.dtype != got.dtype:
            raise FileFormatError(
                f"weights do not fit the network: `{name}` must be {value.dtype}, but is "
                f"{got.dtype}."
            )


def load_pretrained(
    network: nn.Module,
    state: Mapping[str, Tensor],
    first: Collection[str],
    classifier: Collection[str],
) -> None:
    """Load the weights of a network like this one, which may have other channels or classes.

    `first`: the convolutions that read the images; for another number of channels, their weights
    are summed or repeated. `classifier`: the layers that output the classes; they stay as they are
    if the weights do not fit. Raises `FileFormatError` for anything else that does not fit.
    """
    own, found = network.state_dict(), _unwrapped(state)
    for name in own:
        layer, _, kind = name.rpartition(".")
        got = found.get(name)
        is_replaced = layer in classifier and (got is None or got.shape != own[name].shape)
        if is_replaced or (got is None and kind == "num_batches_tracked"):  # old files lack these
            found[name] = own[name]
        elif got is not None and layer in first and kind == "weight":
            found[name] = for_channels(got, own[name].shape[1])
    found = {name: value for name, value in found.items() if not _is_unused(name, own)}
    found = {n: v.to(own[n].dtype) if n in own else v for n, v in found.items()}
    check_weights(network, found)
    for name, value in found.items():
        if not value.isfinite().all():
            raise FileFormatError(f"weights must be finite, but `{name}` has NaN or infinity.")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(found[name])


def fit_channels(first: nn.Module, channels: int) -> None:
    """Make a first convolution read `channels` channels, initialised anew if that changes it."""
    if isinstance(first, nn.Conv2d) and channels != first.in_channels:
        first.in_channels = channels
        shape = (first.out_channels, channels, *first.kernel_size)
        first.weight = nn.Parameter(first.weight.new_empty(shape))
        first.reset_parameters()


def for_channels(weight: Tensor, channels: int) -> Tensor:
    """Return the weight `(out, in, kh, kw)` of a first convolution for other input channels.

    One channel gets the sum of the weights, so that a grey image gives what its copies in all
    channels gave. For more channels, the weights are repeated in turn, and scaled so that equal
    channels give what they gave.

    >>> for_channels(torch.ones(8, 3, 3, 3), 1)[0, 0, 0, 0].item()
    3.0
    """
    known = weight.shape[1] if weight.ndim == 4 else channels
    if known == channels:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, torch.arange(channels) % known] * (known / channels)


def _unwrapped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by their names in the plain network, without prefixes."""
    found = dict(state)
    for prefix in (each for each in _WRAPPERS if all(name.startswith(each) for name in state)):
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _is_unused(name: str, own: Mapping[str, Tensor]) -> bool:
    return name not in own and name.startswith(_UNUSED)

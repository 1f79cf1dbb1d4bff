"""Convolutions that train right, and fast, on a CPU: what stands in for torch's where those do not.

`mend` finds them in any network and changes their class. Their parameters and the names of those
stay, and so does what they compute.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor, nn

Made = TypeVar("Made", bound=nn.Module)
Given = ParamSpec("Given")

PLAIN = nn.Conv2d._conv_forward
BLOCK = 16  # channels that oneDNN computes together with AVX-512; with AVX2 they are 8


def mend(network: Made) -> Made:
    """Replace the class of every convolution that a CPU trains wrongly or slowly, in place.

    One of a subclass that computes in its own way (`_conv_forward`) is left as it is.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and type(module)._conv_forward is PLAIN:
            kind = kind_of(module)
            if kind is not nn.Conv2d:
                module.__class__ = with_additions(kind, type(module))
    return network


def mended(make: Callable[Given, Made]) -> Callable[Given, Made]:
    """Mend whatever a function makes. In an exported Python file it makes what it says alone."""

    @wraps(make)
    def wrapped(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        return mend(make(*args, **kwargs))

    return wrapped


def kind_of(conv: nn.Conv2d) -> type[nn.Conv2d]:
    """The class for a convolution of this form."""
    depthwise = conv.in_channels == conv.out_channels == conv.groups
    strided = max(conv.stride) > 1
    fast = depthwise and conv.kernel_size == (3, 3) and not strided
    if conv.groups > 1 and conv.in_channels // conv.groups < 4 and not fast:
        return FullPrecisionConv
    if strided and max(conv.kernel_size) > 1:
        return StridedConv
    thin = conv.groups == 1 and conv.in_channels < BLOCK
    return SampledConv if strided and thin and conv.padding in ("valid", (0, 0)) else nn.Conv2d


def with_additions(kind: type[nn.Conv2d], cls: type[nn.Conv2d]) -> type[nn.Conv2d]:
    """The class `kind` with all that `cls` adds to torch's."""
    return kind if cls is nn.Conv2d else type(cls.__name__, (kind, cls), {})


class FullPrecisionConv(nn.Conv2d):
    """A convolution that leaves autocast out on a CPU, and gives what it would have given.

    For depthwise ones, and others whose groups read up to three channels. In bfloat16 torch's CPU
    backend has a fast backward pass for one kind of them only, 3x3 with stride 1 that keeps the
    channels; forward and backward of the others take up to 3 times as long as in float32, with
    stride 2 3 to 48 times.
    """

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y: Tensor
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            y = super()._conv_forward(x, weight, bias)
            return y
        with torch.autocast("cpu", enabled=False):
            y = super()._conv_forward(x.to(weight.dtype), weight, bias)
        return y.to(torch.get_autocast_dtype("cpu"))


class StridedConv(FullPrecisionConv):
    """A convolution that leaves autocast out on a CPU for maps smaller than its stride alone.

    There, weights that meet nothing but padding have a gradient of 0, but torch's CPU backend
    (2.14) leaves it unset in bfloat16: whatever lay in memory, often no number.
    """

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if any(side < stride for side, stride in zip(x.shape[-2:], self.stride, strict=True)):
            return super()._conv_forward(x, weight, bias)
        y: Tensor = PLAIN(self, x, weight, bias)
        return y


class SampledConv(nn.Conv2d):
    """A strided 1x1 convolution that, where it learns on a CPU, takes its pixels out first.

    oneDNN (3.12, in torch 2.14) copies them to a workspace for the gradient of the weights, and
    with channels last and fewer channels than a block writes past its end: the process dies, hangs
    or goes on with wrong numbers (uxlfoundation/oneDNN issue 6035). A stride of 1 needs no
    workspace. Where nothing learns it is torch's own, also in an exported graph.
    """

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if x.device.type != "cpu" or not (weight.requires_grad and torch.is_grad_enabled()):
            y: Tensor = super()._conv_forward(x, weight, bias)
            return y
        rows, columns = self.stride
        return torch.conv2d(x[..., ::rows, ::columns], weight, bias, groups=self.groups)

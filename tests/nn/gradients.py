"""The gradients of strided convolutions against those of torch's own in float64: a program.

A wrong kernel ends its process, now or later, or never comes back, so `test_convolutions` runs this
in a process of its own. It says which layer is next before it tries it.
"""

import pickle
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn

from neptune_nas.devices.device import has_fast_bf16
from neptune_nas.nn.builder import Shape, build
from neptune_nas.nn.convolutions import mend
from neptune_nas.nn.references import REFERENCES, ReferenceNetwork
from neptune_nas.space import find_space
from tests.search_spaces.test_shipped import SHAPES

SAMPLES = 4
BATCH = 2
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.03}  # of the largest number


@dataclass(frozen=True)
class Layer:
    """A convolution, and the shape of the maps that it reads."""

    kind: type[nn.Conv2d]
    channels: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: str | tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    maps: tuple[int, ...]

    def make(self, kind: type[nn.Conv2d]) -> nn.Conv2d:
        """Return a fresh one of a class."""
        options = (self.padding, self.dilation, self.groups)
        return kind(self.channels[0], self.channels[1], self.kernel, self.stride, *options)


def layer_of(conv: nn.Conv2d, maps: tuple[int, ...]) -> Layer:
    """Return the layer that `conv` is where it reads `maps`."""
    return Layer(
        type(conv),
        (conv.in_channels, conv.out_channels),
        pair(conv.kernel_size),
        pair(conv.stride),
        conv.padding if isinstance(conv.padding, str) else pair(conv.padding),
        pair(conv.dilation),
        conv.groups,
        maps,
    )


def pair(numbers: tuple[int, ...]) -> tuple[int, int]:
    """Two numbers, which torch's stub gives as any number of them."""
    rows, columns = numbers
    return rows, columns


def strided(network: nn.Module, shape: Shape) -> Iterator[Layer]:
    """Return the strided convolutions of a network on the meta device, for images of `shape`."""
    found: list[Layer] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(module, nn.Conv2d) and max(module.stride) > 1:
            found.append(layer_of(module, tuple(inputs[0].shape[1:])))

    for module in network.modules():
        module.register_forward_pre_hook(note)
    network.eval()(torch.empty(2, *shape))  # the same maps as in training, found sooner
    return iter(found)


def shipped() -> Iterator[Layer]:
    """Those of the shipped spaces and of the hand-designed networks."""
    with torch.device("meta"):
        for name, shape in SHAPES.items():
            rng, space = Random(0), find_space(name)
            for i in range(SAMPLES):
                architecture = space.sample(rng, by="architecture" if i % 2 else "choice")
                yield from strided(build(architecture, shape, 10), shape)
        for name in REFERENCES:
            for shape in ((1, 16, 16), (3, 64, 64), (3, 96, 96)):
                yield from strided(ReferenceNetwork(name, shape, 10).build(), shape)


def narrow() -> Iterator[Layer]:
    """Those of 1 to 17 channels that a user may write, on maps small and large."""
    for channels in range(1, 18):
        pointwise = nn.Conv2d(channels, 16, 1, 2)
        others = [
            nn.Conv2d(channels, 8, 1, (1, 2)),
            nn.Conv2d(channels, 8, 1, (2, 1), padding="valid", dilation=2),
            nn.Conv2d(channels, 8, 1, 3, padding=1),
            nn.Conv2d(channels, channels, 1, 2, groups=channels),
            nn.Conv2d(2 * channels, 16, 1, 2, groups=2),
            nn.Conv2d(channels, 16, 3, 2, padding=1),
        ]
        for side, convs in ((1, [pointwise, *others]), (48, others), (128, [pointwise])):
            for conv in convs:
                yield layer_of(mend(conv), (conv.in_channels, side, side))


def error(got: Tensor | None, expected: Tensor | None) -> float:
    """Return the largest difference, of the largest number that is expected."""
    assert got is not None
    assert expected is not None
    largest = expected.abs().max().clamp_min(1e-9)
    return float((got.double() - expected).abs().max().detach() / largest.detach())


def errors(layer: Layer, dtype: torch.dtype) -> list[float]:
    """Those of the output and of both gradients, computed with channels last.

    All numbers are positive, so that no sum is so small that rounding seems an error.
    """
    conv, exact = layer.make(layer.kind), layer.make(nn.Conv2d).double()
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.abs_()
    exact.load_state_dict(conv.state_dict())
    conv.to(memory_format=torch.channels_last)
    images = torch.rand(BATCH, *layer.maps)
    x = images.clone(memory_format=torch.channels_last).requires_grad_()
    z = images.double().requires_grad_()
    junk = [torch.full_like(each, torch.nan) for each in (conv.weight, conv.weight, x)]
    del junk  # what memory holds that is given out next
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        y = conv(x)
    expected = exact(z)
    gradient = torch.rand_like(y)
    torch.autograd.backward(y, gradient)
    torch.autograd.backward(expected, gradient.double())
    pairs = ((y, expected), (conv.weight.grad, exact.weight.grad), (x.grad, z.grad))
    return [error(*pair) for pair in pairs]


def main(file: Path) -> None:
    """Try the layers in a file and the narrow ones; end with the first that is wrong.

    The narrow ones are tried on two threads too.
    """
    dtypes = [torch.float32, *[torch.bfloat16] * has_fast_bf16(torch.device("cpu"))]
    rare = dict.fromkeys(narrow())
    for threads, layers in ((1, [*pickle.loads(file.read_bytes()), *rare]), (2, [*rare])):
        torch.set_num_threads(threads)
        for layer in layers:
            for dtype in dtypes:
                print(*astuple(layer), dtype, threads, flush=True)
                found = errors(layer, dtype)
                if not max(found) <= TOLERANCE[dtype]:  # a NaN is not
                    sys.exit(f"output, weight and input are wrong by {found}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Networks as operations: what lowered and fused graphs compute, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.deploy.execution import run_float
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.lowering import UnsupportedOperationError, lower
from neptune_nas.nn.classifier import Classifier


class Op(nn.Module):
    """A module that computes a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        """Return what the function returns."""
        return self.function(*inputs)


class Beside(nn.Module):
    """What two modules make of one map, and a function of both."""

    def __init__(self, left: nn.Module, right: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.left, self.right, self.function = left, right, function

    def forward(self, x: Tensor) -> Any:
        """Return the function of both."""
        return self.function(self.left(x), self.right(x))


def norm(channels: int) -> nn.Module:
    """Return a batch norm that has seen data."""
    made = nn.BatchNorm2d(channels)
    for tensor in (made.weight, made.bias, made.running_mean):
        nn.init.normal_(tensor)  # type: ignore[arg-type]  # it has a running mean
    nn.init.uniform_(made.running_var, 0.5, 2)  # type: ignore[arg-type]
    return made


def excited(channels: int) -> nn.Module:
    """Return a squeeze-and-excitation."""
    layers = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 2, 1), nn.ReLU())
    weights = nn.Sequential(*layers, nn.Conv2d(2, channels, 1), nn.Sigmoid())
    return Beside(nn.Identity(), weights, lambda x, y: y * x)


def resized(x: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Return a map resized bilinearly."""
    return F.interpolate(x, size, mode="bilinear", align_corners=align_corners)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "conv 3x3": lambda: nn.Conv2d(3, 4, 3, padding=1),
    "conv 5x5 with stride 2": lambda: nn.Conv2d(3, 4, 5, stride=2, padding=2),
    "conv without padding": lambda: nn.Conv2d(3, 4, 3, stride=2),
    "conv 1x1 with stride 3": lambda: nn.Conv2d(3, 4, 1, stride=3, bias=False),
    "conv of one channel": lambda: nn.Sequential(nn.Conv2d(3, 1, 1), nn.Conv2d(1, 2, 3)),
    "depthwise": lambda: nn.Conv2d(3, 3, 3, 2, 1, groups=3),
    "depthwise with more channels": lambda: nn.Conv2d(3, 6, 5, 1, 2, groups=3),
    "norm and ReLU": lambda: nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), norm(4), nn.ReLU()),
    "ReLU6 after ReLU": lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.ReLU6()),
    "norm before all": lambda: nn.Sequential(norm(3), nn.ReLU(inplace=True), norm(3)),
    "norm after average pooling": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.AvgPool2d(2), norm(4), nn.ReLU()
    ),
    "norm after ReLU and pooling": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AvgPool2d(2), norm(4)
    ),
    "norm after max pooling": lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2), norm(4)),
    "ReLU6 and hard-swish": lambda: nn.Sequential(nn.ReLU6(), nn.Conv2d(3, 4, 1), nn.Hardswish()),
    "squeeze and excitation": lambda: nn.Sequential(nn.Conv2d(3, 6, 1), excited(6)),
    "shortcut": lambda: Beside(nn.Identity(), nn.Conv2d(3, 3, 3, 1, 1), torch.add),
    "sum that is rectified": lambda: nn.Sequential(
        Beside(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, 1, 1), torch.add), nn.ReLU()
    ),
    "map that is read twice": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 1), Beside(nn.Identity(), nn.ReLU(), torch.add), norm(4)
    ),
    "concatenation": lambda: nn.Sequential(
        Beside(nn.MaxPool2d(2), nn.AvgPool2d(2), lambda *both: torch.cat(both, 1)), norm(6)
    ),
    "weights that are computed": lambda: Op(
        lambda x: F.conv2d(x, torch.arange(12.0).view(4, 3, 1, 1).softmax(1))
    ),
    "constants": lambda: Op(lambda x: (x * 2 + torch.arange(3.0).view(3, 1, 1)) / 4 - 0.5),
    "linear layers": lambda: nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU()
    ),
    "bilinear resizing": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 1), Op(lambda x: resized(x, (20, 9))), nn.Conv2d(4, 2, 1)
    ),
    "dropout": lambda: nn.Sequential(nn.Dropout(), nn.Conv2d(3, 4, 1), nn.Dropout2d()),
}


@pytest.mark.parametrize("size", [(12, 12), (13, 11), (7, 16)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_fused_graph_computes_what_the_network_does(name: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network, images = NETWORKS[name]().eval(), torch.rand(2, 3, *size)
    with torch.no_grad():
        expected = network(images).flatten(1)
        found = run_float(fuse(lower(network, images[:1])), images).flatten(1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def read_after(x: Tensor, other: Callable[[Tensor], Tensor], changed: int) -> Tensor:
    """Return one of a map and what is made of it, after the other was rectified in place."""
    both = (x, other(x))
    both[changed].relu_()
    return F.hardswish(both[1 - changed])


IN_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "a view of what changed": lambda x: read_after(x - 0.5, lambda x: x.detach(), 0),
    "what a changed view views": lambda x: read_after(x - 0.5, lambda x: x.detach(), 1),
    "another shape": lambda x: read_after(
        x.mean((2, 3), keepdim=True) - 0.5, lambda x: x.flatten(1), 0
    ),
    "a copy": lambda x: read_after(x - 0.5, torch.clone, 0),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_change_in_place_is_seen_through_views_and_not_in_copies(name: str) -> None:
    network, images = Op(IN_PLACE[name]), torch.rand(2, 3, 4, 4)
    with torch.no_grad():
        expected = network(images).flatten(1)
    found = run_float(fuse(lower(network, images[:1])), images).flatten(1)
    torch.testing.assert_close(found, expected)


def test_pixels_are_normalised_by_the_first_operation() -> None:
    network = Classifier(nn.Conv2d(3, 4, 1), [0.1, 0.2, 0.3], [1.0, 2.0, 3.0])
    graph = fuse(lower(network, torch.rand(1, 3, 4, 4)))
    assert [each.kind for each in graph.operations] == ["depthwise", "conv"]
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(run_float(graph, images), network(images).detach())


def test_a_graph_on_the_meta_device_has_the_same_operations_and_no_weights() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), norm(4), nn.ReLU(), nn.AvgPool2d(2))
    graph = fuse(lower(network, torch.rand(1, 3, 8, 8)))
    ghost = fuse(lower(network.to("meta"), torch.empty(1, 3, 8, 8, device="meta")))
    assert ghost == graph
    assert [each.constant.weight for each in ghost.operations] == [None, None]


def test_of_several_inputs_and_outputs_each_is_a_value_and_the_last_is_the_output() -> None:
    maps = [torch.rand(1, 2, 4, 4), torch.rand(1, 3, 4, 4)]
    graph = lower(Op(lambda maps: [maps[0] * 2, torch.cat(maps, 1)]), maps)
    assert graph.inputs == (0, 1)
    assert graph.shapes[graph.output] == (4, 4, 5)


REFUSED: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "unknown": (torch.erf, "operation 'erf' has no int8 kernel"),
    "gelu": (F.gelu, "operation 'gelu'"),
    "softmax": (lambda x: x.softmax(1), "operation '_softmax'"),
    "mean over channels": (lambda x: x.mean(1), r"a mean over the axes \[1\]"),
    "mean over all": (torch.mean, r"a mean over the axes \[\]"),
    "groups": (nn.Conv2d(4, 4, 1, groups=2), "a convolution in 2 groups of 4 channels"),
    "dilation": (nn.Conv2d(4, 4, 3, dilation=2), "a transposed, dilated or one-dimensional"),
    "transposed": (nn.ConvTranspose2d(4, 4, 3), "a transposed, dilated or one-dimensional"),
    "padded pooling": (nn.MaxPool2d(3, padding=1), "a pooling with padding"),
    "dilated pooling": (nn.MaxPool2d(2, dilation=2), "a pooling with padding, dilation"),
    "rounded pooling": (nn.AvgPool2d(2, ceil_mode=True), "or a size that is rounded up"),
    "a divisor": (nn.AvgPool2d(2, divisor_override=3), "a divisor"),
    "positions": (lambda x: F.max_pool2d(x, 2, return_indices=True)[1], "the second result"),
    "adaptive pooling": (nn.AdaptiveAvgPool2d(2), r"adaptive pooling to \[2, 2\]"),
    "a clamp": (nn.Hardtanh(), "a clamp to -1.0..1.0"),
    "alpha": (lambda x: torch.add(x, x, alpha=2), "a sum with a factor"),
    "beta": (lambda x: torch.sub(x, 1, alpha=2), "a difference with a factor"),
    "rounding": (lambda x: torch.div(x, 2, rounding_mode="floor"), "a division that is rounded"),
    "a quotient": (lambda x: x / (x + 1), "weights that depend on the image"),
    "a difference": (lambda x: x - x.relu(), "weights that depend on the image"),
    "dynamic weights": (lambda x: F.conv2d(x, x), "weights that depend on the image"),
    "a constant map": (lambda x: x + torch.rand(6, 6), r"a constant of shape \(6, 6\)"),
    "a constant of rows": (lambda x: x[:, :, :4] + torch.rand(4, 1), "operation 'slice'"),
    "rows like channels": (lambda x: x + torch.rand(1, 1, 6, 1), r"shape \(1, 1, 6, 1\)"),
    "pixels of channels": (nn.Flatten(), "a change of shape from"),
    "a vector": (lambda x: F.max_pool2d(x, (1, 3), 1) + x.mean((2, 3)), "4 and 2 dimensions"),
    "rows": (lambda x: torch.cat([x, x], 2), "a concatenation along axis 2"),
    "a constant that is changed": (
        lambda x: torch.zeros(1, 4, 6, 6).add_(x),
        "an operation that writes into another tensor",
    ),
    "an output that is given": (
        lambda x: torch.add(x, x, out=torch.empty(1, 4, 6, 6)),
        "an operation that writes into another tensor",
    ),
    "a batch": (lambda x: torch.cat([x, x]), "a concatenation along axis 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_int8_kernel_is_refused_and_named(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(UnsupportedOperationError, match=message):
        lower(Op(function), torch.rand(1, 4, 6, 6))


def test_a_batch_norm_that_learns_is_refused() -> None:
    network = Op(lambda x: F.batch_norm(x, torch.zeros(4), torch.ones(4), training=True))
    with pytest.raises(UnsupportedOperationError, match="a batch norm in training mode"):
        lower(network, torch.rand(1, 4, 6, 6))


def test_a_resizing_that_aligns_corners_is_refused() -> None:
    network = Op(lambda x: resized(x, (5, 5), align_corners=True))
    with pytest.raises(UnsupportedOperationError, match="aligns corners has no int8 kernel"):
        lower(network, torch.rand(1, 3, 4, 4))

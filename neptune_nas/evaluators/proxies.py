"""Zero-cost proxies, computed from a freshly built network and one batch of images.

Each may change the network, which is then discarded, and returns a number of which more is better.
Abdelfattah et al. 2021 (arXiv 2101.08134) compare most of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from neptune_nas.errors import OptionError
from neptune_nas.nn import norms
from neptune_nas.tasks.task import Task

_NORMS = (
    *(nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm),
    *(norms.Affine, norms.RMSNorm, norms.LocalResponseNorm),
)
_RECTIFIERS = (F.relu, F.relu_, torch.relu, torch.relu_, F.gelu, F.silu)
_JACOV_EPS = 1e-5  # as in the authors' code
_ZEN_STEP = 0.01
ZEN_REPEATS, ZEN_IMAGES = 4, 16


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Normalised images `(N, C, H, W)`, their targets, and the task they belong to."""

    images: Tensor
    targets: Tensor
    task: Task


def synflow(network: nn.Module, batch: Batch) -> float:
    """Return the log of the sum over parameters of `|p * dR/dp|`.

    `R` is the output for an image of ones. Parameters are replaced by their absolute values, and
    norms are skipped (Tanaka et al. 2020, arXiv 2006.05467; one pass, as in Abdelfattah et al.).
    Computed in float64 and returned as a log, since the sum grows with the product of all widths.
    """
    network = network.double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    with _norm_hooks(network, lambda _, args, __: args[0]):
        ones = torch.ones_like(batch.images[:1], dtype=torch.float64)
        torch.autograd.backward(network(ones).sum())
    flows = [(p * p.grad).abs().sum() for p in network.parameters() if p.grad is not None]
    return float(torch.stack(flows).detach().sum().log())


def naswot(network: nn.Module, batch: Batch) -> float:
    """Return `log |det K|`, with `K[i, j]` the units equally on or off for images i and j.

    Units are those of all rectifiers (Mellor et al. 2021, arXiv 2006.04647).
    """
    count = len(batch.images)
    with torch.no_grad(), SignKernel(count, batch.images.device) as signs:
        network.train()(batch.images)
    return float(torch.linalg.slogdet(signs.kernel).logabsdet)


class SignKernel(TorchFunctionMode):
    """Counts the units of equal sign per pair of images, over every rectifier in the context."""

    def __init__(self, count: int, device: torch.device) -> None:
        super().__init__()
        self.count = count
        self.kernel = torch.zeros(count, count, dtype=torch.float64, device=device)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Record the input of a rectifier, then run the function unchanged."""
        if func in _RECTIFIERS and args[0].shape[0] == self.count:
            on = (args[0] > 0).flatten(1).double()
            self.kernel += on @ on.T + (1 - on) @ (1 - on).T
        return func(*args, **(kwargs or {}))


def jacov(network: nn.Module, batch: Batch) -> float:
    """Return how different the input gradients of the images are: `-sum(log(e) + 1 / e)`.

    `e`: the eigenvalues of the correlation matrix of those gradients, plus a small number (Mellor
    et al., first version of arXiv 2006.04647).
    """
    images = batch.images.requires_grad_()
    (gradients,) = torch.autograd.grad(network.train()(images).sum(), images)
    values = torch.linalg.eigvalsh(torch.corrcoef(gradients.flatten(1).double())) + _JACOV_EPS
    return float(-(values.log() + 1 / values).sum())


def grad_norm(network: nn.Module, batch: Batch) -> float:
    """Return the sum over weights of the norm of the loss gradient (Abdelfattah et al. 2021)."""
    loss = batch.task.loss(network.train()(batch.images), batch.targets)
    torch.autograd.backward(loss.div(len(batch.images)))
    gradients = [p.grad.norm() for p in network.parameters() if p.ndim > 1 and p.grad is not None]
    return float(torch.stack(gradients).sum())


def zen(network: nn.Module, batch: Batch) -> float:
    """Return the log of how far noise moves the last feature map, norms undone.

    `log E|f(x) - f(x + 0.01 e)| + sum(log s)`: `x` and `e` are Gaussian images, weights are
    Gaussian, and `s` is the deviation of the input of each norm (Lin et al. 2021, arXiv
    2102.01063). The paper has batch norm only; this has every norm.
    """
    values = [_zen_once(network, batch.images[:ZEN_IMAGES]) for _ in range(ZEN_REPEATS)]
    return float(torch.stack(values).mean())


@torch.no_grad()
def _zen_once(network: nn.Module, images: Tensor) -> Tensor:
    """Return the value for one draw of weights, images and noise."""
    network.train()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.normal_()
    scales: list[Tensor] = []
    x = torch.randn_like(images)
    with _norm_hooks(network, lambda _, args, __: scales.append(deviation(args[0]))):
        still = last_map(network, x)
    moved = last_map(network, x + _ZEN_STEP * torch.randn_like(x))
    distance = (still - moved).abs().sum((1, 2, 3)).mean()
    return distance.log() + torch.stack([scale.log() for scale in scales]).sum()


def last_map(network: nn.Module, images: Tensor) -> Tensor:
    """Return the last feature map `(N, C, H, W)`: the last, or only, output of `forward_features`.

    Raises `OptionError` for a network without that method.
    """
    features = getattr(network, "forward_features", None)
    if features is None:
        raise OptionError(
            f"the proxy zen-score looks at feature maps, but `{type(network).__name__}` has no "
            f"`forward_features(images)`: give it one that returns the last map (N, C, H, W), or "
            f"take another proxy, such as synflow."
        )
    found = features(images)
    last: Tensor = found if isinstance(found, Tensor) else found[-1]
    return last


def deviation(x: Tensor) -> Tensor:
    """Return the square root of the mean variance of the channels of `(N, C, H, W)`."""
    return x.var((0, 2, 3)).mean().sqrt()


@contextmanager
def _norm_hooks(network: nn.Module, hook: Callable[[Any, Any, Any], Any]) -> Iterator[None]:
    """Call `hook` inside the context for every norm; it may replace the norm's output."""
    handles = [
        module.register_forward_hook(hook)
        for module in network.modules()
        if isinstance(module, _NORMS)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

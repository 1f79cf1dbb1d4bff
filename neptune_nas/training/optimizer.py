"""The optimiser of a run, its learning rate over the steps, and the average of its weights.

Weights are averaged exponentially over the steps (Polyak and Juditsky 1992, doi 10.1137/0330046).
"""

from collections.abc import Mapping
from math import cos, pi
from typing import Any, Protocol, runtime_checkable

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from neptune_nas.training.muon import Muon, hidden_weights
from neptune_nas.training.recipe import Recipe

_MOMENTUM = 0.9
_START = 0.04  # of the highest rate, where a warm-up begins (Smith and Topin, arXiv 1708.07120)
_PLATEAU_FACTOR = 0.3
_PLATEAU_PATIENCE = 2  # epochs without a lower validation loss
WINDOW = 0.02  # of a run's steps, over which a step's weights fade to 1/e


@runtime_checkable
class LayerRates(Protocol):
    """A network whose layers have learning rates of their own."""

    def rate_factors(self) -> Mapping[str, float]:
        """Return the share of the learning rate, by the name of a parameter; 1 for all others."""


def make_optimizer(network: nn.Module, recipe: Recipe) -> Optimizer:
    """Return the recipe's optimiser for `network`; biases and norms (1-d) do not decay.

    A network with `rate_factors` (`LayerRates`) says which parameters learn at a share of the rate.
    """
    hidden = {id(each) for each in hidden_weights(network)} if recipe.optimizer == "muon" else set()
    kinds = [(True, True), (True, False), (False, False)]  # decays, is hidden
    groups: list[dict[str, Any]] = [
        {
            "params": [p for p in parameters if (p.ndim > 1, id(p) in hidden) == (decays, inner)],
            "weight_decay": recipe.weight_decay if decays else 0.0,
            "lr": recipe.lr * share,
            **({"orthogonal": True} if inner else {}),
        }
        for share, parameters in _by_rate(network)
        for decays, inner in kinds
    ]
    groups = [group for group in groups if group["params"]]
    match recipe.optimizer:
        case "adamw":
            return AdamW(groups, lr=recipe.lr, fused=True)
        case "adam":
            return Adam(groups, lr=recipe.lr, fused=True)
        case "muon":
            return Muon(groups, lr=recipe.lr)
        case "sgd":
            return SGD(groups, lr=recipe.lr, momentum=_MOMENTUM, nesterov=True, fused=True)


def _by_rate(network: nn.Module) -> list[tuple[float, list[nn.Parameter]]]:
    """Return the trained parameters by their share of the rate, the largest share first."""
    factors = network.rate_factors() if isinstance(network, LayerRates) else {}
    trained = [(name, each) for name, each in network.named_parameters() if each.requires_grad]
    shares = sorted({factors.get(name, 1.0) for name, _ in trained}, reverse=True)
    return [
        (share, [each for name, each in trained if factors.get(name, 1.0) == share])
        for share in shares
    ]


def factor(recipe: Recipe, progress: float) -> float:
    """Return the share of `recipe.lr` at `progress`, 0 at the first step and 1 after the last.

    "one-cycle" rises and falls along half a cosine each; "cosine" rises in a straight line; both
    end at 0. "constant" and "plateau", which a `ReduceLROnPlateau` lowers, are 1 throughout.
    """
    if recipe.schedule in ("constant", "plateau"):
        return 1.0
    if progress < recipe.warmup:
        rise = progress / recipe.warmup
        return _START + (1 - _START) * (
            _half_cosine(rise) if recipe.schedule == "one-cycle" else rise
        )
    return 1 - _half_cosine((progress - recipe.warmup) / (1 - recipe.warmup))


def _half_cosine(position: float) -> float:
    """Return 0 to 1 along half a cosine, for a position from 0 to 1."""
    return (1 - cos(pi * min(position, 1.0))) / 2


def step_schedule(optimizer: Optimizer, recipe: Recipe, steps: int) -> LambdaLR:
    """Return the scheduler that sets the rate after each of `steps` steps."""
    return LambdaLR(optimizer, lambda step: factor(recipe, step / steps))


def epoch_schedule(optimizer: Optimizer) -> ReduceLROnPlateau:
    """Return the scheduler that lowers the rate once the validation loss stops falling."""
    return ReduceLROnPlateau(optimizer, factor=_PLATEAU_FACTOR, patience=_PLATEAU_PATIENCE)


def make_average(network: nn.Module, steps: int) -> AveragedModel:
    """Return the average of the weights of `network`, to update after each of `steps` steps.

    The running statistics of norms are averaged too, so that the averaged network needs no pass
    over the data to be measured.
    """
    average = get_ema_multi_avg_fn(decay(steps))  # type: ignore[no-untyped-call]  # torch's has no types
    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)


def decay(steps: int) -> float:
    """Return the decay of the average per step that looks back over `WINDOW` of the run.

    >>> round(decay(5000), 4), decay(20)
    (0.99, 0.0)
    """
    return 1 - 1 / max(WINDOW * steps, 1)

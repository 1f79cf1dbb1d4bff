"""Optimisers, fused, with weight decay on weights only."""

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from neptune_nas.training.recipe import Recipe

MOMENTUM = 0.9


def make_optimizer(network: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser for `network`; biases and norms (one-dimensional) do not decay."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    match recipe.optimizer:
        case "adamw":
            return AdamW(groups, lr=recipe.lr, fused=True)
        case "adam":
            return Adam(groups, lr=recipe.lr, fused=True)
        case "sgd":
            return SGD(groups, lr=recipe.lr, momentum=MOMENTUM, nesterov=True, fused=True)

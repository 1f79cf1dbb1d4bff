import pytest
import torch
from torch import nn

from neptune_nas.training.optimizer import make_optimizer
from neptune_nas.training.recipe import Optimizer, Recipe
from tests.training.data import small_network

KINDS: dict[Optimizer, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}


@pytest.mark.parametrize("name", KINDS)
def test_a_recipe_names_its_optimizer(name: Optimizer) -> None:
    optimizer = make_optimizer(small_network(), Recipe(optimizer=name, lr=0.3))
    assert type(optimizer) is KINDS[name]
    assert {group["lr"] for group in optimizer.param_groups} == {0.3}


def test_weights_decay_and_norms_and_biases_do_not() -> None:
    network = small_network()
    decayed, spared = make_optimizer(network, Recipe(weight_decay=0.2)).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.2, 0.0)
    assert {id(p) for p in decayed["params"]} == {id(network[0].weight), id(network[5].weight)}
    assert len(spared["params"]) == 4


def test_frozen_parameters_are_left_out() -> None:
    network = small_network().requires_grad_(False)
    network[5].requires_grad_()
    groups = make_optimizer(network, Recipe()).param_groups
    assert [len(group["params"]) for group in groups] == [1, 1]


def test_a_network_without_any_bias_has_one_group() -> None:
    assert len(make_optimizer(nn.Linear(2, 2, bias=False), Recipe()).param_groups) == 1

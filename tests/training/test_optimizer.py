import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neptune_nas.training.muon import Muon
from neptune_nas.training.optimizer import (
    WINDOW,
    decay,
    epoch_schedule,
    factor,
    make_average,
    make_optimizer,
    step_schedule,
)
from neptune_nas.training.recipe import Optimizer, Recipe, Schedule
from tests.training.data import small_network

KINDS: dict[Optimizer, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "muon": Muon,
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


def test_muon_steps_hidden_weights_apart_and_every_parameter_once() -> None:
    network = small_network()
    groups = make_optimizer(network, Recipe(optimizer="muon")).param_groups
    hidden = [group["params"] for group in groups if group["orthogonal"]]
    assert [[id(p) for p in params] for params in hidden] == [[id(network[0].weight)]]
    every = [id(p) for group in groups for p in group["params"]]
    assert sorted(every) == sorted(id(p) for p in network.parameters())


def test_a_network_without_any_bias_has_one_group() -> None:
    assert len(make_optimizer(nn.Linear(2, 2, bias=False), Recipe()).param_groups) == 1


PROGRESS = st.floats(0, 1)
ANNEALED = st.sampled_from(["one-cycle", "cosine"])


@given(ANNEALED, st.floats(0, 0.9), PROGRESS)
def test_the_rate_stays_between_nothing_and_the_highest(
    schedule: Schedule, warmup: float, progress: float
) -> None:
    assert 0 <= factor(Recipe(schedule=schedule, warmup=warmup), progress) <= 1


@given(ANNEALED, st.floats(0, 0.9))
def test_the_rate_is_highest_at_the_end_of_the_warm_up(schedule: Schedule, warmup: float) -> None:
    assert factor(Recipe(schedule=schedule, warmup=warmup), warmup) == 1


@given(ANNEALED, st.floats(0, 0.9))
def test_an_annealed_rate_ends_at_zero(schedule: Schedule, warmup: float) -> None:
    assert factor(Recipe(schedule=schedule, warmup=warmup), 1.0) == pytest.approx(0)


@given(ANNEALED, st.floats(0.1, 0.9), st.floats(0, 1), st.floats(0, 1))
def test_the_rate_rises_during_the_warm_up_and_falls_after_it(
    schedule: Schedule, warmup: float, first: float, second: float
) -> None:
    recipe = Recipe(schedule=schedule, warmup=warmup)
    early, late = sorted((first, second))
    assert factor(recipe, early * warmup) <= factor(recipe, late * warmup) + 1e-12
    after = [warmup + x * (1 - warmup) for x in (early, late)]
    assert factor(recipe, after[0]) >= factor(recipe, after[1]) - 1e-12


@given(PROGRESS)
def test_a_constant_rate_is_constant(progress: float) -> None:
    assert factor(Recipe(schedule="constant"), progress) == 1


def test_the_last_of_all_steps_is_made_at_a_small_rate_and_the_next_would_be_at_none() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = step_schedule(optimizer, Recipe(lr=2.0, warmup=0.25), steps=8)
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert (rates[0], rates[2]) == (pytest.approx(0.08), pytest.approx(2.0))
    assert 0 < rates[-1] < 0.2
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0)


def test_a_loss_that_stops_falling_lowers_the_rate_of_a_plateau() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = epoch_schedule(optimizer)
    for loss in (2.0, 1.0, 1.0, 1.0):
        schedule.step(loss)
    assert optimizer.param_groups[0]["lr"] == 1.0
    schedule.step(1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.3)


STEPS = 500


def drift(network: nn.Module, by: float) -> None:
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            value.add_(by if value.is_floating_point() else 1)


def test_the_first_step_is_taken_whole_and_the_next_by_a_share() -> None:
    network = small_network()
    average = make_average(network, STEPS)
    average.update_parameters(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    drift(network, 1.0)
    average.update_parameters(network)
    share = 1 / (WINDOW * STEPS)
    for name in ("0.weight", "1.weight", "1.running_mean", "1.running_var"):
        found = average.module.state_dict()[name]
        torch.testing.assert_close(found, before[name] + share)


def test_the_network_itself_is_left_alone() -> None:
    network = small_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    average = make_average(network, STEPS)
    for _ in range(3):
        average.update_parameters(network)
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in before)


@given(st.integers(1, 10**6))
def test_what_is_kept_is_a_share(steps: int) -> None:
    assert 0 <= decay(steps) < 1


def test_a_run_of_few_steps_is_not_averaged() -> None:
    assert decay(10) == 0

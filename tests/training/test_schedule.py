import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.training.recipe import Recipe, Schedule
from neptune_nas.training.schedule import epoch_schedule, factor, step_schedule

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

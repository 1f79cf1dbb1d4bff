from dataclasses import replace

import pytest
import torch
from torch import nn

from neptune_nas.data.load import load_once
from neptune_nas.devices.numerics import Numerics
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.threads import ThreadTimes, thread_counts, time_threads

DATA = load_once("digits#60", None, 0)
USUAL = Numerics("fp32")


def network() -> nn.Module:
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(nn.Conv2d(1, 4, 3), *pooled, nn.Linear(4, 10))


@pytest.mark.parametrize(
    ("seconds", "fastest"),
    [
        ({1: 0.2, 2: 0.1, 4: 0.15}, 2),
        ({1: 0.102, 2: 0.1, 4: 0.1}, 1),
        ({1: 0.2, 2: 0.1, 4: 0.09, 8: 0.0899}, 4),
    ],
)
def test_the_fewest_threads_that_are_as_fast_as_any_are_chosen(
    seconds: dict[int, float], fastest: int
) -> None:
    assert ThreadTimes(seconds).fastest == fastest


@pytest.mark.parametrize(("cores", "counts"), [(1, (1,)), (2, (1, 2)), (12, (1, 2, 4, 8, 12))])
def test_powers_of_two_and_all_cores_are_tried(cores: int, counts: tuple[int, ...]) -> None:
    assert thread_counts(cores) == counts


def test_each_number_is_timed_and_torch_is_left_as_it_was() -> None:
    made, threads, state = network(), torch.get_num_threads(), torch.get_rng_state()
    times = time_threads(made, DATA, Recipe(batch_size=8), USUAL, (1, 2))
    assert times is not None
    assert [*times.seconds] == [1, 2]
    assert min(times.seconds.values()) > 0
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_with_one_number_nothing_is_timed() -> None:
    assert time_threads(network(), DATA, Recipe(), USUAL, (1,)) is None


def test_a_network_that_cannot_be_trained_is_left_to_its_training() -> None:
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(3, 10))
    assert time_threads(wrong, DATA, Recipe(), USUAL, (1, 2)) is None


def test_a_schedule_of_few_steps_does_not_end_the_timing() -> None:
    few = replace(DATA, train=DATA.train[torch.arange(4)])
    assert time_threads(network(), few, Recipe(schedule="cosine"), USUAL, (1, 2)) is not None

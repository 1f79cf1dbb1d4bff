import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neptune_nas.training.average import WINDOW, decay, make_average
from tests.training.data import small_network

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

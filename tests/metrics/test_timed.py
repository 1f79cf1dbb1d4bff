import inspect
import time
from itertools import accumulate

import pytest
import torch
from torch import nn

from neptune_nas.errors import OptionError
from neptune_nas.metrics.timed import measure_latency, processor_time

NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))


def test_a_latency_names_what_it_was_measured_with() -> None:
    found = measure_latency(NETWORK, (3, 2, 2), batch=4, repeats=5, threads=1)
    assert (found.batch, found.repeats, found.threads, found.device) == (4, 5, 1, "cpu")
    assert found.median > 0
    assert found.spread >= 0


def test_measuring_puts_back_the_mode_and_the_threads() -> None:
    network, threads = nn.Sequential(NETWORK).train(), torch.get_num_threads()
    measure_latency(network, (3, 2, 2), repeats=2, threads=threads + 1)
    assert network.training
    assert torch.get_num_threads() == threads


def test_processor_time_is_the_median_by_the_threads_own_clock() -> None:
    untimed, *passes = 9.0, 1.0, 5.0, 2.0  # seconds by that clock, with 4 between any two
    ticks = iter([*accumulate(x for length in (untimed, *passes) for x in (4.0, length))])
    found = processor_time(NETWORK, (3, 2, 2), repeats=3, clock=lambda: next(ticks))
    assert found == 2_000.0
    assert next(ticks, None) is None  # no other clock was read
    assert inspect.signature(processor_time).parameters["clock"].default is time.thread_time


def test_processor_time_is_of_one_thread_in_eval_mode() -> None:
    seen = []

    class Watched(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((torch.get_num_threads(), self.training, tuple(x.shape)))
            return x

    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        processor_time(Watched(), (3, 2, 2), repeats=2)
        assert {*seen} == {(1, False, (1, 3, 2, 2))}
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["batch", "threads"])
def test_a_number_below_one_is_refused_by_name(name: str) -> None:
    with pytest.raises(
        OptionError, match=f"`{name}` must be a whole number of at least 1.*, but got 0"
    ):
        measure_latency(NETWORK, (3, 2, 2), **{name: 0})


def test_one_repeat_has_no_spread_and_is_refused() -> None:
    with pytest.raises(
        OptionError, match="`repeats` must be a whole number of at least 2, but got 1"
    ):
        measure_latency(NETWORK, (3, 2, 2), repeats=1)

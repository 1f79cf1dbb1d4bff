"""Numbers of one trial against their formulas, written out by hand."""

from dataclasses import replace
from math import isnan

import pytest

from neptune_nas.metrics.counted import Cost
from neptune_nas.study.measures import (
    accuracy,
    accuracy_per_gflop,
    cost_of,
    efficiency,
)
from tests.report.fixtures import plain_results, plain_trial


@pytest.mark.parametrize(
    ("objectives", "expected"),
    [
        (("accuracy",), 0.8 / 2),
        (("accuracy", "flops", "latency"), 0.8 / 2),
        (("accuracy", "macs"), 0.8 / 2),  # FLOPs too, of which a MAC is two
        (("accuracy", "params"), 0.8 / 0.001),
        (("accuracy", "activations"), 0.8 / 0.0001),
        (("accuracy", "latency", "flops"), 0.8 / 5),
    ],
)
def test_efficiency_is_accuracy_above_chance_for_each_unit_of_the_studys_cost(
    objectives: tuple[str, ...], expected: float
) -> None:
    trial = replace(plain_trial(0, 0.9, 1_000_000), latency=5.0)
    settings = plain_results(objectives=objectives).settings
    assert efficiency(settings, trial) == pytest.approx(expected)


def test_of_costs_that_are_not_known_nothing_is_made() -> None:
    trial = replace(plain_trial(0, 0.9, 10), cost=Cost(0, 0, 0))
    for cost in ("flops", "macs", "params", "activations"):
        assert isnan(efficiency(plain_results(objectives=("accuracy", cost)).settings, trial))
    assert isnan(accuracy_per_gflop(trial))


def test_without_a_latency_there_is_no_efficiency_for_each_ms() -> None:
    settings = plain_results(objectives=("accuracy", "latency")).settings
    assert isnan(efficiency(settings, plain_trial(0, 0.9, 1_000_000)))


def test_the_raw_ratio_is_for_each_billion_flops() -> None:
    assert accuracy_per_gflop(plain_trial(0, 0.9, 1_000_000)) == pytest.approx(0.9 / 0.002)


def test_without_a_score_there_is_no_accuracy() -> None:
    assert isnan(accuracy(plain_trial(0, None, 10)))


def test_a_latency_that_nobody_measured_is_infinite() -> None:
    assert cost_of(plain_trial(0, 0.9, 10), "latency") == float("inf")

"""Numbers of one trial against their formulas, written out by hand."""

from dataclasses import replace
from math import isnan

import pytest

from neptune_nas.metrics.registry import metric
from neptune_nas.study.measures import efficiency, main_score, score_of, score_per_gflop
from tests.report.fixtures import plain_results, plain_trial, timed


@pytest.mark.parametrize(
    ("objectives", "expected"),
    [
        (("accuracy",), 0.8 / 2),
        (("accuracy", "flops", "latency"), 0.8 / 2),
        (("accuracy", "macs"), 0.8 / 1),
        (("accuracy", "params"), 0.8 / 0.001),
        (("accuracy", "activations"), 0.8 / 0.0001),
        (("accuracy", "latency", "flops"), 0.8 / 5),
    ],
)
def test_efficiency_is_accuracy_above_chance_for_each_unit_of_the_studys_cost(
    objectives: tuple[str, ...], expected: float
) -> None:
    trial = timed(plain_trial(0, 0.9, 1_000_000), 5.0)
    settings = plain_results(objectives=objectives).settings
    assert efficiency(settings, trial) == pytest.approx(expected)


def test_of_costs_that_are_not_known_nothing_is_made() -> None:
    trial = replace(plain_trial(0, 0.9, 10), values={})
    for cost in ("flops", "macs", "params", "activations"):
        assert isnan(efficiency(plain_results(objectives=("accuracy", cost)).settings, trial))
    assert isnan(score_per_gflop(trial))


def test_without_a_latency_there_is_no_efficiency_for_each_ms() -> None:
    settings = plain_results(objectives=("accuracy", "latency")).settings
    assert isnan(efficiency(settings, plain_trial(0, 0.9, 1_000_000)))


def test_the_raw_ratio_is_for_each_billion_flops() -> None:
    assert score_per_gflop(plain_trial(0, 0.9, 1_000_000)) == pytest.approx(0.9 / 0.002)


def test_without_a_score_there_is_no_accuracy() -> None:
    assert isnan(main_score(plain_trial(0, None, 10)))
    assert isnan(score_of(metric("loss"), plain_trial(0, None, 10)))

from dataclasses import replace
from typing import Any

import pytest

from neptune_nas.metrics.registry import metric
from neptune_nas.report.objectives import further_objectives, value_text
from neptune_nas.study.settings import Question
from tests.report.fixtures import plain_trial, timed

TRIAL = timed(plain_trial(7, 0.9, 80_250), 1.2345)


def test_the_objectives_that_a_table_lacks_stand_in_their_order() -> None:
    asked = Question("tiny", objectives=("latency", "accuracy", "flops", "params"))
    assert further_objectives(asked, [metric("flops")]) == (metric("latency"), metric("params"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("loss", "1.0000"),
        ("flops", "160k"),
        ("macs", "80.2k"),
        ("params", "1.01k"),
        ("activations", "100"),
        ("latency", "1.23 ms"),
    ],
)
def test_a_value_is_said_in_a_few_digits_with_its_unit(name: str, text: str) -> None:
    assert value_text(metric(name), TRIAL) == text


@pytest.mark.parametrize(
    ("name", "changes"), [("latency", {"values": {}}), ("loss", {"scores": ()})]
)
def test_what_was_not_measured_is_a_dash(name: str, changes: dict[str, Any]) -> None:
    assert value_text(metric(name), replace(TRIAL, **changes)) == "-"

from math import inf, isnan, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import FileFormatError
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.score import Score
from neptune_nas.metrics.trial_json import cost_in, cost_to_json
from neptune_nas.metrics.score import score_from_json, score_in, score_to_json

COST = Cost(1000, 200, 30)
SCORE = Score(3, {"accuracy": 0.5, "loss": 1.0})


def test_a_cost_is_written_with_its_flops_and_read_again() -> None:
    assert cost_to_json(COST)["flops"] == 2000
    assert cost_in(cost_to_json(COST), "cost.") == COST


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (7, "`cost` must be an object, but got 7"),
        ({"macs": 1}, r"`cost\.params` is missing"),
        (cost_to_json(COST) | {"macs": -1}, r"`cost\.macs` must be a whole number of at least 0"),
        (cost_to_json(COST) | {"watts": 1}, r"`cost\.watts` is unknown"),
        (cost_to_json(COST) | {"flops": 3}, r"`cost\.flops` must be 2000, but got 3"),
    ],
)
def test_a_cost_that_breaks_a_rule_is_refused(data: object, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        cost_in(data, "cost.")


@given(st.floats(0, 1), st.floats(0, 100), st.integers(0, 2**32))
def test_scores_survive_json(accuracy: float, loss: float, seed: int) -> None:
    score = Score(3, {"accuracy": accuracy, "loss": loss}, seed)
    assert score_from_json(score_to_json(score)) == score


def test_what_is_not_finite_survives_json_too() -> None:
    again = score_from_json(score_to_json(Score(3, failure="diverged")))
    assert isnan(again.main)
    assert again.values["loss"] == inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"accuracy": inf},
            r"`scores\.0\.accuracy` must be a number in 0\.\.1 or null, but got inf",
        ),
        ({"worker": -1}, r"`scores\.0\.worker` must be a whole number of at least 0, but got -1"),
        ({"mood": "good"}, r"`scores\.0\.mood` is unknown"),
    ],
)
def test_a_score_in_a_file_that_breaks_a_rule_is_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(FileFormatError, match=message):
        score_in(score_to_json(SCORE) | change, "scores.0.")


def test_a_score_in_a_file_needs_no_more_than_was_measured() -> None:
    assert score_in({"fidelity": 3, "accuracy": 0.5, "loss": 1.0}, "scores.0.") == SCORE

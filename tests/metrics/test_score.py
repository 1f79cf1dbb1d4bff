from dataclasses import replace
from math import inf, isnan, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import FileFormatError
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.registry import COST, PARAMS
from neptune_nas.metrics.score import (
    Score,
    costs_in,
    mean_score,
    score_from_json,
    score_in,
    score_to_json,
)

COSTS = Cost(1000, 200, 30).values
SCORE = Score(3, {"accuracy": 0.5, "loss": 1.0})


def test_costs_are_read_as_they_were_written() -> None:
    assert costs_in(COSTS, "costs") == {**COSTS, "flops": 2000}
    assert costs_in({**COSTS, "latency": 1.5}, "costs")["latency"] == 1.5
    assert costs_in({}, "costs") == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"flops": 2}, r"`costs\.params` is missing"),
        (COSTS | {"macs": -1}, r"`costs\.macs` must be a whole number of at least 0"),
        (COSTS | {"macs": 1.5}, r"`costs\.macs` must be a whole number of at least 0"),
        (
            COSTS | {"latency": -1.0},
            r"`costs\.latency` must be a finite number of at least 0, but got -1\.0",
        ),
        (COSTS | {"watts": 1}, r"`costs\.watts` is unknown"),
        (COSTS | {"flops": 3}, r"`costs\.flops` must be 2000, but got 3"),
    ],
)
def test_costs_that_break_a_rule_are_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        costs_in(data, "costs", (COST, PARAMS))


@given(st.floats(0, 1), st.floats(0, 100), st.integers(0, 2**32))
def test_scores_survive_json(accuracy: float, loss: float, seed: int) -> None:
    score = Score(3, {"accuracy": accuracy, "loss": loss}, seed)
    assert score_from_json(score_to_json(score)) == score


def test_a_metric_of_an_evaluators_own_survives_json() -> None:
    score = Score(3, {"f1": 0.7, "jaccard": 12.0})
    assert score_in(score_to_json(score), "") == score


def test_what_is_not_finite_survives_json_too() -> None:
    again = score_from_json(score_to_json(Score(3, {"accuracy": nan, "loss": inf})))
    assert isnan(again.main)
    assert again.values["loss"] == inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"values": {"accuracy": inf}},
            r"`scores\.0\.values\.accuracy` must be a finite number, but got inf",
        ),
        (
            {"values": {"accuracy": 1.5}},
            r"`scores\.0\.values\.accuracy` must be a number in 0\.\.1, but got 1\.5",
        ),
        ({"values": {"f1": "x"}}, r"`scores\.0\.values\.f1` must be a finite number, but got 'x'"),
        ({"worker": -1}, r"`scores\.0\.worker` must be a whole number of at least 0, but got -1"),
        ({"mood": "good"}, r"`scores\.0\.mood` is unknown"),
    ],
)
def test_a_score_in_a_file_that_breaks_a_rule_is_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(FileFormatError, match=message):
        score_in(score_to_json(SCORE) | change, "scores.0")


def test_a_time_that_was_not_finite_is_not_known_when_it_is_read() -> None:
    bad = Score(1, {"accuracy": 0.5}, seconds=nan, images_per_second=inf, started=nan)
    again = score_from_json(score_to_json(bad))
    assert again == Score(1, {"accuracy": 0.5})


@pytest.mark.parametrize("name", ["failure", "rule", "trace"])
def test_no_password_stays_in_what_a_failure_says(name: str) -> None:
    said: dict[str, Any] = {name: "cannot reach postgresql://ada:s3cret@host/db"}
    for score in (Score(1, **said), replace(SCORE, **said)):
        assert getattr(score, name) == "cannot reach postgresql://ada:***@host/db"


def test_a_score_in_a_file_needs_no_more_than_was_measured() -> None:
    values = {"accuracy": 0.5, "loss": 1.0}
    assert score_in({"fidelity": 3, "values": values}, "scores.0") == SCORE


def test_the_first_value_is_what_a_score_is_ranked_by() -> None:
    own = Score(1, {"f1": 0.7, "accuracy": 0.9})
    assert (own.main, own.rank_value, own.ok) == (0.7, 0.7, True)
    assert replace(own, proxy=5.0).rank_value == 5.0
    assert isnan(Score(1).main)
    assert not Score(1).ok
    assert not replace(own, failure="diverged").ok


def test_the_mean_of_scores_is_that_of_each_value_they_share() -> None:
    mean = mean_score(
        [SCORE, Score(3, {"accuracy": 0.7, "loss": 2.0}), Score(3, {"accuracy": 0.6})]
    )
    assert mean is not None
    assert mean.values == {"accuracy": pytest.approx(0.6)}
    assert mean_score([]) is None

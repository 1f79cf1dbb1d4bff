import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gap
from benchmarks.gap import Gap, gap_of, promote, random_volume, share_closed, table_of
from benchmarks.rungs import promotion_gap
from neptune_nas.metrics.pareto import hypervolume

CORNER = (1.0, 1.0)
STUDY = Path(__file__).parents[2] / "studies" / "cifar10-jpeg"


@pytest.mark.parametrize("count", [1, 2, 5, 7])
@pytest.mark.parametrize("seed", range(3))
def test_the_value_at_random_is_the_mean_over_all_choices(count: int, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 1.2, (7, 2)).round(1)  # with ties, and outside
    every = [hypervolume(points[list(rows)], CORNER) for rows in combinations(range(7), count)]
    assert random_volume(points, count, CORNER) == pytest.approx(np.mean(every))


def test_promoting_all_closes_no_gap_since_there_is_none() -> None:
    points = np.array([[0.2, 0.6], [0.5, 0.3]])
    found = gap_of(points, [0, 1], CORNER)
    assert found.random == pytest.approx(found.kept)
    assert np.isnan(share_closed([found])).all()


def test_the_share_is_that_of_the_mean_gap() -> None:
    share, error = share_closed([Gap(0.98, 0.97, 1.0), Gap(0.99, 0.97, 0.99)])
    assert share == pytest.approx((0.01 + 0.02) / (0.03 + 0.02))
    assert error > 0


def test_less_than_at_random_is_a_share_below_zero() -> None:
    assert share_closed([Gap(0.9, 0.95, 1.0)])[0] == pytest.approx(-1)


def test_equal_shares_have_no_error() -> None:
    assert share_closed([Gap(0.6, 0.5, 0.7), Gap(0.8, 0.7, 0.9)]) == pytest.approx((0.5, 0.0))


def test_a_table_begins_at_random_and_ends_with_all() -> None:
    _, _, first, between, last = "\n".join(table_of({"mine": [Gap(0.75, 0.5, 1.0)]})).splitlines()
    assert first == "| at random, as many | 50.0% | 0.0% |"
    assert between == "| mine | 75.0% | 50.0% |"
    assert last == "| all | 100.0% | 100.0% |"


def test_a_rung_promotes_small_networks_too() -> None:
    flops = np.array([1.0, 9.0, 9.0, 8.0])
    assert sorted(promote([0.5, 0.9, 0.4, 0.3], flops, 2)) == [0, 1]


def test_networks_at_the_last_rung_are_compared_with_as_many_of_all() -> None:
    accuracies = {"a": 0.5, "b": 0.4, "c": 0.3}
    found = promotion_gap(["b"], accuracies, {"a": 1, "b": 2, "c": 4})
    alone = [promotion_gap([name], accuracies, {"a": 1, "b": 2, "c": 4}).kept for name in "abc"]
    assert found.kept == alone[1]
    assert found.random == pytest.approx(np.mean(alone))
    assert found.truth == alone[0]


def test_an_audited_study_is_measured_without_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gap", "--study", str(STUDY)])
    gap.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:6]] == [
        "| at random, as many",
        "| rung 1",
        "| rung 5",
        "| synflow",
    ]

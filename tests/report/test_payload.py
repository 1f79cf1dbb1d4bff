from dataclasses import replace

import pytest

from neptune_nas.metrics.score import Score
from neptune_nas.report.checklist import luck_check
from neptune_nas.report.payload import best_scores
from tests.report.fixtures import plain_results, plain_trial


def test_a_confirmed_trial_shows_the_mean_of_its_seeds() -> None:
    trial = replace(
        plain_trial(0, 0.9, 1_000),
        scores=(Score(1, {"accuracy": 0.5, "loss": 1.0}), Score(3, {"accuracy": 0.9, "loss": 1.0})),
    )
    again = replace(trial, confirmations=(Score(3, {"accuracy": 0.8, "loss": 1.0}, seed=1),))
    study = plain_results(trial, rungs=(1, 3))
    assert best_scores(study, trial) == [("1 epoch", 0.5), ("3 epochs", 0.9)]
    assert [accuracy for _, accuracy in best_scores(study, again)] == pytest.approx([0.5, 0.85])


def test_a_front_without_a_trial_was_not_confirmed() -> None:
    assert luck_check(plain_results()).holds is False

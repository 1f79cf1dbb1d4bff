from dataclasses import replace

import pytest

from neptune_nas.study.confirmation import Aim, ConfirmationProgress, Goal, confirmation_progress
from tests.study.test_confirmation import STUDY, confirm

FRONT = Goal(seeds=3)  # three trials, so six further scores


@pytest.mark.parametrize(
    ("goal", "most", "found"),
    [
        (FRONT, None, ConfirmationProgress(0, 6, 3)),
        (FRONT, 30, ConfirmationProgress(0, 6, 3)),
        (FRONT, 4, ConfirmationProgress(0, 4, 3)),
        (Goal(seeds=2, by="accuracy", top=1), None, ConfirmationProgress(0, 1, 1)),
    ],
)
def test_as_many_scores_are_to_come_as_are_missing_but_no_more_than_asked(
    goal: Goal, most: int | None, found: ConfirmationProgress
) -> None:
    assert confirmation_progress(STUDY, Aim(goal, most)) == found


def test_each_score_that_comes_in_is_one_of_them() -> None:
    study = confirm(confirm(confirm(STUDY, 4, 0.9), 4, 0.9, repeat=2), 3, 0.8)
    assert confirmation_progress(study, Aim(FRONT)) == ConfirmationProgress(3, 6, 2)
    assert confirmation_progress(study, Aim(FRONT, 4)) == ConfirmationProgress(3, 4, 2)
    assert confirmation_progress(study, Aim(FRONT, 3)) == ConfirmationProgress(3, 3, 2)


def test_who_comes_up_is_to_be_scored_too() -> None:
    first = Aim(Goal(seeds=2, by="accuracy", top=1))
    assert confirmation_progress(confirm(STUDY, 4, 0.9), first) == ConfirmationProgress(1, 1, 0)
    assert confirmation_progress(confirm(STUDY, 4, 0.0), first) == ConfirmationProgress(1, 2, 1)


def test_one_that_failed_is_an_evaluation_but_no_score() -> None:
    study = confirm(STUDY, 4, 0.0, failure="diverged")
    assert confirmation_progress(study, Aim(FRONT)) == ConfirmationProgress(0, 6, 3)
    assert confirmation_progress(study, Aim(FRONT, 4)) == ConfirmationProgress(0, 3, 3)


def test_a_trial_that_was_searched_with_enough_seeds_is_sure() -> None:
    asked = replace(STUDY.settings.question, repeats=3)
    study = replace(STUDY, settings=replace(STUDY.settings, question=asked))
    assert confirmation_progress(study, Aim(FRONT)) == ConfirmationProgress(0, 0, 0)

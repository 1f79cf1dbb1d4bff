"""Rungs and reductions, as a search is asked for them and goes on with them."""

from pathlib import Path
from typing import Any

import pytest

from neptune_nas.errors import OptionError, StudyError
from neptune_nas.search.config import Search
from neptune_nas.search.resume import check_same
from tests.study.fakes import arithmetic_search


def test_rungs_end_with_trials_at_the_last(tmp_path: Path) -> None:
    study = arithmetic_search(tmp_path, rungs=(1, 3, 9), trials=18).run()
    assert len(study.ranked) == 2
    assert study.ledger.pruned == 16


def test_a_study_is_asked_with_its_reduction(tmp_path: Path) -> None:
    study = arithmetic_search(tmp_path, rungs=(1, 3), reduction=6, trials=18).run()
    assert len(study.ranked) == 3
    assert study.settings.question.reduction == 6
    with pytest.raises(StudyError, match="reduction"):
        arithmetic_search(tmp_path, rungs=(1, 3), trials=18).run()


def test_each_rung_may_have_a_reduction_of_its_own_also_after_a_restart(tmp_path: Path) -> None:
    for trials, finished in ((12, 1), (18, 3)):
        study = arithmetic_search(tmp_path, rungs=(1, 3, 9), reduction=[3, 2], trials=trials).run()
        assert study.settings.question.reduction == (3, 2)
        assert len(study.ranked) >= finished
    with pytest.raises(StudyError, match="started with reduction 3,2, but now it is 3:"):
        arithmetic_search(tmp_path, rungs=(1, 3, 9), trials=18).run()


def test_a_list_of_one_reduction_is_the_same_question_as_the_number(tmp_path: Path) -> None:
    one, many = (arithmetic_search(tmp_path, rungs=(1, 3, 9), reduction=r) for r in (4, [4]))
    assert one.question == many.question


@pytest.mark.parametrize(("first", "then"), [(4, (4, 4)), ((3, 3), 3)])
def test_equal_reductions_are_one_for_all_when_a_study_goes_on(
    tmp_path: Path, first: Any, then: Any
) -> None:
    for trials, reduction in ((6, first), (7, then)):
        asked = arithmetic_search(tmp_path, rungs=(1, 3, 9), reduction=reduction, trials=trials)
        study = asked.run()
    assert len(study.trials) == 7
    check_same(asked, study)  # what confirm, audit and baseline go by


@pytest.mark.parametrize(
    ("rungs", "reduction", "message"),
    [
        ((1, 3), 1, "a reduction of at least 2, but got 1"),
        ((1, 3, 9), (4, 1), "a reduction of at least 2, but got 1"),
        ((1, 3, 9), (5, 2, 2), "2 for 1,3,9, but got 5,2,2"),
        ((1, 3), (), "one reduction for all, .* but got none"),
        ((1, 3), "3", "`reduction` must be a whole number or a tuple"),
    ],
)
def test_reductions_that_rungs_cannot_have_are_refused_at_once(
    rungs: tuple[int, ...], reduction: Any, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        Search("tiny", rungs=rungs, reduction=reduction)


@pytest.mark.parametrize(("rungs", "got"), [(None, "none"), ((1, 3), "1,3")])
def test_a_proxy_needs_a_rung(rungs: tuple[int, ...] | None, got: str) -> None:
    with pytest.raises(OptionError, match=f"must begin with it, as in 0,1,3, but got {got}"):
        Search("tiny", proxy="synflow", rungs=rungs)

"""What `search --confirm N --dry-run` says of it."""

from dataclasses import replace

from neptune_nas.cli.confirming import foretold
from neptune_nas.search.config import Search
from neptune_nas.search.resume import study_of
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from neptune_nas.trust.confirm import run_confirm


def unfinished(study: Study) -> Study:
    """Return the study with two trials more to come."""
    return replace(study, settings=replace(study.settings, trials=len(study.trials) + 2))


def test_the_best_are_confirmed_after_the_trials(searched: Search) -> None:
    study = unfinished(run_confirm(searched, evaluations=1))
    assert foretold(searched, None, 1) == "Then at most 1 evaluation to confirm the best."
    assert foretold(searched, study, 5) == "Then at most 4 evaluations to confirm the best."
    assert foretold(searched, study, 1) == "Then --confirm 1 allows no more evaluations."
    assert foretold(searched, None, None) is None
    assert foretold(searched, study, None) is None


def test_once_all_trials_are_done_it_is_all_that_is_left(searched: Search) -> None:
    study = study_of(searched)
    missing = 2 * len(study.pareto())
    only = f"The search would only confirm the best, which lack {missing} scores, with at most "
    assert foretold(searched, study, 99) == f"{only}99 evaluations."
    nothing = "The search would only rewrite its report"
    assert foretold(searched, study, None) == f"{nothing}."
    begun = run_confirm(searched, evaluations=1)
    assert foretold(searched, begun, 1) == f"{nothing}: --confirm 1 allows no more evaluations."
    assert foretold(searched, run_confirm(searched), 99) == f"{nothing}: the best are confirmed."


def test_where_all_trials_failed_nothing_can_be_confirmed(searched: Search) -> None:
    study = study_of(searched)
    failed = tuple(replace(trial, scores=(), state=State.FAILED) for trial in study.trials)
    assert foretold(searched, replace(study, trials=failed), 9) == (
        "Nothing could be confirmed: no trial has finished."
    )

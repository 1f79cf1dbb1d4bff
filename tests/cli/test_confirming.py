"""What `search --confirm N --dry-run` says of it."""

from dataclasses import replace

from neptune_nas.cli.confirming import foretold
from neptune_nas.search.config import Search
from neptune_nas.search.resume import study_of
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from neptune_nas.trust.confirm import run_confirm
from neptune_nas.trust.evidence import Evidence


def unfinished(study: Study) -> Study:
    """Return the study with two trials more to come."""
    return replace(study, settings=replace(study.settings, trials=len(study.trials) + 2))


def alone(confirm: int | None) -> Evidence:
    """Return so much confirmation, and no plain networks."""
    return Evidence(yardstick=False, confirm=confirm)


def test_the_best_are_confirmed_after_the_trials(searched: Search) -> None:
    study = unfinished(run_confirm(searched, evaluations=1))
    then = "Then it would"
    best = f"{then} confirm the best with at most"
    assert foretold(searched, None, alone(1)) == f"{best} 1 evaluation."
    assert foretold(searched, study, alone(5)) == f"{best} 4 evaluations."
    end = f"{then} end: --confirm 1 allows no more evaluations."
    assert foretold(searched, study, alone(1)) == end
    assert foretold(searched, None, alone(0)) is None
    assert foretold(searched, study, alone(0)) is None


def test_once_all_trials_are_done_it_is_all_that_is_left(searched: Search) -> None:
    study = study_of(searched)
    assert foretold(searched, study, alone(99)) == (
        "The search would only confirm the best with at most 99 evaluations, as far as that is not "
        "done yet, and rewrite its report."
    )
    nothing = "The search would only rewrite its report"
    assert foretold(searched, study, alone(0)) == f"{nothing}."
    begun = run_confirm(searched, evaluations=1)
    more = "--confirm 1 allows no more evaluations"
    assert foretold(searched, begun, alone(1)) == f"{nothing}: {more}."


def test_by_default_plain_networks_come_too_and_half_of_what_the_trials_take() -> None:
    search = Search(space="tiny", trials=20, rungs=(1, 3, 9))
    assert foretold(search, None, Evidence()) == (
        "Then it would train two plain networks with 3 seeds each and confirm the best with at "
        "most 4 evaluations."
    )


def test_where_all_trials_failed_nothing_can_be_confirmed(searched: Search) -> None:
    study = study_of(searched)
    failed = tuple(replace(trial, scores=(), state=State.FAILED) for trial in study.trials)
    assert foretold(searched, replace(study, trials=failed), alone(9)) == (
        "Nothing could be confirmed: no trial has finished."
    )

"""What `search --dry-run` says about the work after the trials."""

from dataclasses import replace

import pytest

from neptune_nas.cli.confirming import evidence_lines
from neptune_nas.search.config import Search
from neptune_nas.search.dry_run import DryRun, dry_run
from neptune_nas.search.resume import study_of
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from neptune_nas.trust.confirm import run_confirm
from neptune_nas.trust.evidence import Evidence

LIMITED = Search(space="tiny", trials=20, rungs=(1, 3, 9), constraints=("flops<=2M",))


def unfinished(study: Study) -> Study:
    """Return the study with two trials more to come."""
    return replace(study, settings=replace(study.settings, trials=len(study.trials) + 2))


def alone(confirm: int | None) -> Evidence:
    """Return so much confirmation, and no plain networks."""
    return Evidence(yardstick=False, confirm=confirm)


def timed(plan: DryRun, study: Study | None) -> DryRun:
    """Return the plan with a start of 2 s, epochs of 1 s, and trials of 100 s in all."""
    return replace(plan, study=study, start=2.0, pace=1.0, seconds=100.0, jobs=2)


def said(search: Search, study: Study | None, wanted: Evidence) -> str:
    """Return all that is said about a search that measures by formulas."""
    return " ".join(evidence_lines(search, timed(dry_run(search), study), wanted))


@pytest.fixture(scope="module")
def plan() -> DryRun:
    """Return the plan of a search that trains."""
    return timed(dry_run(LIMITED), None)


def test_the_best_are_confirmed_after_the_trials(searched: Search) -> None:
    study = unfinished(run_confirm(searched, evaluations=1))
    then = "Then it would"
    best = f"{then} confirm the best with at most"
    assert said(searched, None, alone(1)) == f"{best} 1 evaluation: about 3s, 1m45s in all."
    assert said(searched, study, alone(5)) == f"{best} 4 evaluations: about 4s, 1m46s in all."
    end = f"{then} end: --confirm 1 allows no more evaluations."
    assert said(searched, study, alone(1)) == end
    assert said(searched, None, alone(0)) == ""
    assert said(searched, study, alone(0)) == ""


def test_once_all_trials_are_done_it_is_all_that_is_left(searched: Search) -> None:
    study = study_of(searched)
    assert said(searched, study, alone(9)) == (
        "The search would only confirm the best with at most 9 evaluations, unless that is done "
        "already, and rewrite its report: about 7s."
    )
    nothing = "The search would only rewrite its report"
    assert said(searched, study, alone(0)) == f"{nothing}."
    begun = run_confirm(searched, evaluations=1)
    more = "--confirm 1 allows no more evaluations"
    assert said(searched, begun, alone(1)) == f"{nothing}: {more}."


def test_by_default_plain_networks_and_half_the_work_of_the_trials_follow(plan: DryRun) -> None:
    assert [*evidence_lines(LIMITED, plan, Evidence())] == [
        "Then it would train 2 plain networks with 3 seeds each and confirm the best with at most "
        "4 evaluations: about 49s, 2m31s in all."  # 2 + 3 x 9 s, and 2 + 2 x 9 s
    ]


@pytest.mark.parametrize(
    ("constraint", "start"),
    [
        ("flops<=3k", "Then it would train 1 plain network with 3 seeds each: "),
        ("flops<=9", "Then it would confirm the best with at most 4 evaluations: "),
        ("params<=9M", "Then it would train up to 2 plain networks with 3 seeds each: "),
        ("peak_memory<=9MB", "Then it would train up to 2 plain networks with 3 seeds each: "),
    ],
)
def test_no_more_plain_networks_are_promised_than_it_would_train(
    plan: DryRun, constraint: str, start: str
) -> None:
    search = replace(LIMITED, constraints=(constraint,))
    wanted = Evidence(confirm=None if constraint == "flops<=9" else 0)
    (line,) = evidence_lines(search, replace(plan, question=search.question), wanted)
    assert line.startswith(start)


def test_a_search_that_times_out_first_promises_neither(plan: DryRun) -> None:
    ends = "--timeout would end it after 1m30s, before it has all its trials; the same command"
    hurried = replace(LIMITED, timeout=90.0)
    assert [*evidence_lines(hurried, plan, Evidence(confirm=0))] == [
        f"{ends} would resume it, and only then train 2 plain networks with 3 seeds each."
    ]
    assert [*evidence_lines(hurried, plan, alone(0))] == [f"{ends} would resume it."]
    (patient,) = evidence_lines(replace(LIMITED, timeout=110.0), plan, Evidence())
    assert patient.startswith("Then it would train 2 plain networks")


def test_where_all_trials_failed_nothing_can_be_confirmed(searched: Search) -> None:
    study = study_of(searched)
    failed = tuple(replace(trial, scores=(), state=State.FAILED) for trial in study.trials)
    assert said(searched, replace(study, trials=failed), alone(9)) == (
        "Nothing could be confirmed: no trial has finished."
    )

from dataclasses import replace
from pathlib import Path

from neptune_nas.metrics.score import Score
from neptune_nas.report.outputs import failures_text, write_outputs
from neptune_nas.study.audit import AuditRecord, Truth
from neptune_nas.study.references import Reference
from neptune_nas.study.trial import State
from tests.report.fixtures import plain_results, plain_trial

FAILED = replace(plain_trial(0, None, 10), state=State.FAILED, failure="odd", trace="in line 3\n")


def test_each_reason_is_told_once_with_its_trials_and_the_first_traceback() -> None:
    trials = (
        FAILED,
        replace(FAILED, number=1, failure="diverged", trace=None),
        replace(FAILED, number=2, trace="in line 4\n"),
        plain_trial(3, 0.5, 10),
    )
    text = failures_text(plain_results(*trials))
    assert text == "trials 0, 2: odd\nin line 3\n\ntrial 1: diverged\n"


def test_a_password_in_a_traceback_is_struck_out() -> None:
    trial = replace(FAILED, trace="cannot reach mysql://ann:s3cret@host/db\n")
    assert "mysql://ann:***@host/db" in failures_text(plain_results(trial))


def test_a_first_trial_without_a_traceback_hides_none() -> None:
    old = replace(FAILED, trace=None)  # as it is of a study that an older version began
    text = failures_text(plain_results(old, replace(FAILED, number=1)))
    assert text == "trials 0, 1: odd\nin line 3\n"


def test_what_failed_after_the_search_stands_there_too() -> None:
    odd = Score(1, failure="odd", trace="in line 5\n")
    best = replace(plain_trial(0, 0.5, 10), confirmations=(odd, replace(odd, seed=1)))
    study = replace(
        plain_results(best, replace(FAILED, number=1)),
        full_budget=AuditRecord(5, (Truth(0, best.key, odd, {}), Truth(1, "", odd, {}))),
        references=(Reference("resnet8", {}, (Score(1), Score(1, {"accuracy": 0.5}))),),
    )
    assert failures_text(study) == (
        "trial 1: odd\nin line 3\n\n"
        "audit of trials 0, 1: odd\nin line 5\n\n"
        "confirmation of trial 0: odd\nin line 5\n\n"
        "reference network resnet8: no number\n"
    )


def test_what_has_worked_since_is_no_longer_there(tmp_path: Path) -> None:
    failed = replace(plain_results(FAILED), folder=tmp_path)
    write_outputs(failed)
    assert (tmp_path / "failures.txt").is_file()
    write_outputs(replace(failed, trials=()))
    assert not (tmp_path / "failures.txt").exists()

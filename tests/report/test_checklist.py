from dataclasses import replace

from neptune_nas.report.checklist import Check, checklist
from neptune_nas.study.results import Results
from tests.report.fixtures import make_results, plain_results, plain_trial


def find(results: Results, start: str) -> Check:
    return next(check for check in checklist(results) if check.claim.startswith(start))


def test_one_seed_a_trial_is_said_to_hide_the_noise() -> None:
    assert find(make_results(30), "The noise between seeds").holds is False


def test_repeated_seeds_give_the_noise_and_the_ties() -> None:
    results = plain_results(
        plain_trial(0, None, 10, seeds=(0.90, 0.92)), plain_trial(1, None, 10, seeds=(0.91, 0.93))
    )
    check = find(results, "The noise between seeds")
    assert check.holds
    assert "1.41 points" in check.evidence
    assert "2 trials cannot be told" in check.evidence


def test_failures_are_counted_by_reason() -> None:
    results = make_results(30)
    counted = replace(results.ledger, failed=3, failures={"out of memory": 3})
    check = find(replace(results, ledger=counted), "Failures")
    assert check.evidence.startswith("3 failed: out of memory (3)")


def test_without_a_baseline_or_a_reference_nothing_was_compared() -> None:
    results = make_results(30)
    assert find(results, "It was compared").evidence == "with hand-made"
    assert find(replace(results, references=()), "It was compared").holds is False


def test_rungs_that_rank_as_the_last_one_are_told_by_spearman() -> None:
    check = find(make_results(60), "The ranking after 1 epoch")
    assert check.holds
    assert "Spearman's rho" in check.evidence


def test_too_few_trials_leave_the_rungs_open() -> None:
    check = find(plain_results(plain_trial(0, 0.9, 10)), "The ranking after 1 epoch")
    assert check.holds is None

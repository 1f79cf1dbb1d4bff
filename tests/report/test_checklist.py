from dataclasses import replace
from typing import Any

import pytest

from neptune_nas.deploy.int8_accuracy import CALIBRATION
from neptune_nas.deploy.restriction import restrict
from neptune_nas.deploy.targets import TARGETS
from neptune_nas.devices.numerics import Numerics
from neptune_nas.report.checklist import Check, checklist
from neptune_nas.space import Space, find_space
from neptune_nas.study.study import Study
from tests.report.fixtures import make_results, plain_results, plain_trial

NANO = TARGETS["nano-33-iot"]


def find(study: Study, start: str) -> Check:
    return next(check for check in checklist(study) if check.claim.startswith(start))


def test_one_seed_a_trial_is_said_to_hide_the_noise() -> None:
    assert find(make_results(30), "The noise between seeds").holds is False


def test_repeated_seeds_give_the_noise_and_the_ties() -> None:
    study = plain_results(
        plain_trial(0, None, 10, seeds=(0.90, 0.92)), plain_trial(1, None, 10, seeds=(0.91, 0.93))
    )
    check = find(study, "The noise between seeds")
    assert check.holds
    assert "1.41 points around an accuracy of 0.9200, the best, from 2 trials" in check.evidence
    assert "2 trials cannot be told" in check.evidence


def test_the_noise_is_that_of_networks_as_good_as_the_best() -> None:
    wild = [plain_trial(i, None, 10, seeds=(0.3, 0.4 + i / 100)) for i in range(6)]
    calm = [plain_trial(i, None, 10, seeds=(0.90, 0.92)) for i in range(6, 12)]
    check = find(plain_results(*wild, *calm), "The noise between seeds")
    assert "1.41 points" in check.evidence
    assert "from the 6 nearest of 12 trials" in check.evidence
    assert "6 trials cannot be told" in check.evidence


def test_failures_are_counted_by_reason() -> None:
    study = make_results(30)
    counted = replace(study.ledger, failed=3, failures={"out of memory": 3})
    check = find(replace(study, ledger=counted), "Failures")
    assert check.evidence.startswith("3 failed: out of memory (3) (failures.txt says where)")


def test_what_became_no_trial_is_told_in_plain_words_where_there_is_any() -> None:
    study = make_results(30)
    none = replace(study.ledger, failed=0, failures={}, infeasible=0, duplicates=0, worker_deaths=0)
    quiet = replace(study, ledger=none)
    assert find(quiet, "Failures").evidence == "0 failed"
    assert "already known" not in find(quiet, "Nothing was trained twice").evidence
    some = replace(study, ledger=replace(none, infeasible=1, duplicates=2, worker_deaths=3))
    outside = "0 failed; 1 proposed network outside the limits, not trained; 3 workers died"
    assert find(some, "Failures").evidence == outside
    repeated = "; 2 proposed networks already known"
    assert find(some, "Nothing was trained twice").evidence.endswith(repeated)


def test_the_precision_and_layout_of_training_are_told_with_the_hardware() -> None:
    study = make_results(30)
    assert find(study, "Hardware").evidence == "cpu: a CPU with 2 cores"
    facts = replace(study.settings.facts, numerics=Numerics("bf16"))
    measured = replace(study, settings=replace(study.settings, facts=facts))
    evidence = find(measured, "Hardware").evidence
    assert evidence == "cpu: a CPU with 2 cores; trained in bf16, channels last"


def test_what_was_given_is_told_with_its_share_of_the_front() -> None:
    study = plain_results(
        replace(plain_trial(0, 0.9, 10), given=True),
        replace(plain_trial(1, 0.8, 20), given=True),
        plain_trial(2, 0.95, 30),
    )
    check = find(study, "The search found everything by itself")
    assert check.holds is False
    assert check.evidence.startswith("2 trials given by the user, 1 of 2 on the front")
    alone = plain_results(plain_trial(0, 0.9, 10))
    assert not [each for each in checklist(alone) if each.claim == check.claim]


def test_without_a_baseline_or_a_reference_nothing_was_compared() -> None:
    study = make_results(30)
    assert find(study, "It was compared").evidence == "with hand-made"
    assert find(replace(study, references=()), "It was compared").holds is False


def test_rungs_that_rank_as_the_last_one_are_told_by_spearman() -> None:
    check = find(make_results(60), "The ranking after 1 epoch")
    assert check.holds
    assert "Spearman's rho" in check.evidence


def scored_at_two_rungs(count: int, step: float = 0.01) -> Study:
    """Return a study whose two rungs rank all its trials alike."""
    trials = [plain_trial(i, 0.5 + step * i, 10) for i in range(count)]
    early = [replace(trial.scores[0], fidelity=1) for trial in trials]
    both = (replace(t, scores=(low, *t.scores)) for t, low in zip(trials, early, strict=True))
    return plain_results(*both, rungs=(1, 9))


def test_too_few_trials_leave_the_rungs_open_and_say_how_many_are_needed() -> None:
    check = find(scored_at_two_rungs(7), "The ranking after 1 epoch")
    assert check.holds is None
    assert check.evidence == "7 trials scored at both: a verdict needs 8"
    assert find(scored_at_two_rungs(8), "The ranking after 1 epoch").holds is True


def test_trials_that_score_alike_leave_the_rungs_open() -> None:
    check = find(scored_at_two_rungs(8, step=0.0), "The ranking after 1 epoch")
    assert check.holds is None
    assert check.evidence == "8 trials scored at both, but most of them equal"


def with_facts(study: Study, **facts: Any) -> Study:
    settings = study.settings
    return replace(study, settings=replace(settings, facts=replace(settings.facts, **facts)))


def test_short_training_never_scores_on_the_test_split() -> None:
    assert find(make_results(30), "No score was measured on the test split").holds is True


def test_what_another_evaluator_reads_is_open() -> None:
    study = plain_results(plain_trial(0, 0.9, 10), evaluator="mine:Measure", trains=False)
    check = find(study, "No score was measured on the test split")
    assert check.holds is None
    assert "mine:Measure" in check.evidence


def test_a_split_without_a_fingerprint_is_not_fixed() -> None:
    assert find(make_results(30), "The split is fixed").holds is True
    assert find(with_facts(make_results(30), data_fingerprint=""), "The split").holds is False


def test_failures_that_the_ledger_lacks_are_hidden() -> None:
    study = plain_results(plain_trial(0, None, 10), plain_trial(1, 0.9, 10))
    assert find(study, "Failures").holds is True
    hidden = replace(study, ledger=replace(study.ledger, failed=0))
    assert find(hidden, "Failures").holds is False


def test_an_architecture_tried_twice_is_told() -> None:
    once, twice = plain_trial(0, 0.9, 10), plain_trial(1, 0.9, 10)
    assert find(plain_results(once, twice), "Nothing was trained twice").holds is True
    check = find(plain_results(once, replace(twice, key=once.key)), "Nothing was trained twice")
    assert check.holds is False
    assert check.evidence.startswith("1 of 2 trials")


def test_a_space_as_it_is_shipped_is_published() -> None:
    shipped: Space[Any] = find_space("default")
    study = with_facts(make_results(30), space_fingerprint=shipped.fingerprint)
    assert find(study, "The space is published").holds is True


@pytest.mark.parametrize("asked", [{"target": NANO}, {"calibration": CALIBRATION}])
def test_a_shipped_space_without_what_a_device_cannot_run_is_published(asked: Any) -> None:
    study = plain_results(plain_trial(0, 0.9, 10), space="default", **asked)
    assert find(study, "The space is published").holds is None
    rest, _ = restrict(find_space("default"), NANO)
    study = with_facts(study, space_fingerprint=rest.fingerprint)
    assert find(study, "The space is published").holds is True


@pytest.mark.parametrize("space", ["default", "my_space.py"])
def test_whether_a_space_that_was_changed_is_published_is_open(space: str) -> None:
    study = plain_results(plain_trial(0, 0.9, 10), space=space)
    check = find(study, "The space is published")
    assert check.holds is None
    assert f"publish {space}" in check.evidence


@pytest.mark.parametrize(
    ("timed", "said"),
    [
        ({}, "a CPU with 2 cores"),
        ({"latency": "as the table says"}, "a CPU with 2 cores; latency is as the table says"),
        (
            {"latency": "processor time of one thread"},
            "latency is processor time of one thread of the machine's processor, not of a GPU",
        ),
    ],
)
def test_what_latencies_are_is_told_with_the_hardware(timed: dict[str, str], said: str) -> None:
    study = plain_results(plain_trial(0, 0.9, 10), objectives=("accuracy", "latency"))
    assert find(with_facts(study, timed=timed), "Hardware").evidence.endswith(said)


@pytest.mark.parametrize(
    ("chance", "holds"), [(0.1, True), (0.5, True), (0.99, False), (1.0, False)]
)
def test_chance_is_that_of_the_most_frequent_class(chance: float, holds: bool) -> None:
    study = make_results(30)
    facts = replace(study.settings.facts, guess={"accuracy": chance})
    study = replace(study, settings=replace(study.settings, facts=facts))
    check = find(study, "The best is clearly better than chance")
    assert check.holds is holds
    assert check.evidence.endswith(f"of the scored images gets {chance:.4f}")


def test_where_chance_is_not_known_nothing_is_said_of_it() -> None:
    study = make_results(3)
    facts = replace(study.settings.facts, guess={})
    study = replace(study, settings=replace(study.settings, facts=facts))
    assert not any("chance" in check.claim for check in checklist(study))

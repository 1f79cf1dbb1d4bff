from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.metrics.score import Score
from neptune_nas.study.audit import AuditRecord, Truth, audit_of, pick, read_audit, write_audit
from neptune_nas.study.trial import Trial
from tests.study.builders import make_trial, question

TRIALS = tuple(make_trial(n, (n * 7 % 20) / 20, 1_000 + 2 * n) for n in range(20))

TRUTH = (
    '{"version": 1, "epochs": 5, "truths": [{"number": 0, "key": "k", '
    '"score": {"fidelity": 5, "values": {"accuracy": %s, "loss": 1}}, "proxies": {"synflow": %s}}]}'
)


def truth(trial: Trial, accuracy: float) -> Truth:
    return Truth(
        trial.number,
        trial.key,
        Score(5, {"accuracy": accuracy, "loss": 1.0}),
        {"synflow": accuracy},
    )


def accuracies(trials: list[Trial]) -> list[float]:
    return [trial.score.main for trial in trials if trial.score]


def test_picks_are_spread_over_the_range_of_scores() -> None:
    found = accuracies(list(pick(TRIALS, 5, seed=0)))
    assert [int(accuracy * 5) for accuracy in found] == [0, 1, 2, 3, 4]


def test_equal_seeds_pick_alike_and_others_differently() -> None:
    picks = [tuple(t.number for t in pick(TRIALS, 5, seed)) for seed in (0, 0, 1)]
    assert picks[0] == picks[1] != picks[2]


def test_what_was_measured_before_stands_for_its_share() -> None:
    known = {t.number for t in pick(TRIALS[:15], 5, seed=3)}
    again = {t.number for t in pick(TRIALS[:15], 5, seed=4, known=known)}
    assert again == known


def test_more_picks_than_trials_are_all_trials() -> None:
    assert {t.number for t in pick(TRIALS[:3], 12, seed=0)} == {0, 1, 2}


def test_a_rung_that_ranks_as_the_truth_is_reliable() -> None:
    measured = AuditRecord(5, tuple(truth(t, accuracies([t])[0] / 2) for t in TRIALS[:8]))
    audit = audit_of(measured, TRIALS, question())
    assert audit is not None
    assert audit.reliable
    assert [a.name for a in (*audit.rungs, *audit.others)] == [
        *("rung 1", "synflow", "parameters", "FLOPs")
    ]
    assert audit.verdict.startswith("ranking reliable: after 5 epochs, 8 architectures")


def test_a_perfect_ranking_of_seven_is_no_evidence_yet() -> None:
    measured = AuditRecord(5, tuple(truth(t, accuracies([t])[0] / 2) for t in TRIALS[:7]))
    audit = audit_of(measured, TRIALS, question())
    assert audit is not None
    assert audit.rungs[0].tau.value == 1
    assert not audit.reliable
    assert audit.verdict.startswith("too few to say whether the ranking is reliable (an audit ")


def test_a_rung_that_ranks_by_chance_is_called_unreliable() -> None:
    measured = AuditRecord(5, tuple(truth(t, t.number / 20) for t in TRIALS))
    audit = audit_of(measured, TRIALS, question())
    assert audit is not None
    assert not audit.reliable
    assert audit.verdict.startswith("ranking unreliable")
    assert audit.others[-1].tau.value == 1  # FLOPs grow with the number


def test_every_rung_is_compared_and_a_proxy_named() -> None:
    trials = [replace(t, scores=(Score(0, proxy=-float(t.number)), *t.scores)) for t in TRIALS]
    measured = AuditRecord(5, tuple(truth(t, t.number / 20) for t in TRIALS))
    audit = audit_of(measured, trials, question(rungs=(0, 1), proxy="naswot"))
    assert audit is not None
    assert [a.name for a in audit.rungs] == ["rung 0 (naswot)", "rung 1"]
    assert audit.rungs[0].tau.value == -1


def test_failures_at_full_budget_are_counted_apart() -> None:
    failed = replace(truth(TRIALS[9], 0.0), score=Score(5, failure="diverged"))
    measured = AuditRecord(5, (failed, *(truth(t, 0.1 * t.number) for t in TRIALS[:4])))
    audit = audit_of(measured, TRIALS, question())
    assert audit is not None
    assert (audit.count, audit.failed) == (4, 1)
    assert audit_of(replace(measured, truths=measured.truths[:4]), TRIALS, question()) is None


def test_measurements_survive_the_file(tmp_path: Path) -> None:
    failed = Truth(3, "k", Score(5, failure="out of memory"), {})
    measured = AuditRecord(5, (truth(TRIALS[0], 0.5), failed))
    write_audit(tmp_path / "audit.json", measured)
    assert read_audit(tmp_path / "audit.json") == measured


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "it is not valid JSON"),
        ("[]", "it must be an object"),
        (
            '{"version": 1, "epochs": 0, "truths": []}',
            "`epochs` must be a whole number of at least 1",
        ),
        ('{"version": 1, "epochs": 5, "truths": [{}]}', r"`truths\.0\.number`.* missing"),
        (TRUTH % (1.5, 0), r"`truths\.0\.score\.values\.accuracy` must be a number in 0\.\.1"),
        (
            TRUTH % (0.5, '"x"'),
            r"`truths\.0\.proxies\.synflow` must be a finite number, but got 'x'",
        ),
        ('{"version": 9}', "`version` must be 1, but got 9"),
    ],
)
def test_a_file_that_is_no_audit_is_refused(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "audit.json"
    file.write_text(content)
    with pytest.raises(FileFormatError, match=says):
        read_audit(file)

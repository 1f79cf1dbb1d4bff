"""Options and commands that choose what measures: proxies, GPUs, audits, baselines."""

from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.cli.summary import confirmed_lines, print_plan
from neptune_nas.metrics.score import Score
from neptune_nas.metrics.survey import Survey
from neptune_nas.search.dry_run import DryRun
from neptune_nas.study.confirmation import Goal, with_confirmation
from neptune_nas.study.folder import Folder
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.read import read_study
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from tests.cli.run import ALONE, assert_one_sentence, neptune
from tests.study.builders import make_trial, question, settings

TINY = ("--space", "tiny", "-j", 1, "--threads", 1)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of twelve trials by naswot, of which a third trained for an epoch."""
    out = tmp_path_factory.mktemp("studies")
    rungs = ("--rungs", "0,1", "--proxy", "naswot", "--trials", 12)
    assert neptune("search", *TINY, *ALONE, *rungs, "--out", out).code == 0
    return out / "tiny-digits"


def test_rung_0_is_a_proxy_and_the_best_third_trains(proxied: Path) -> None:
    study = read_study(proxied)
    assert [t.state for t in study.trials].count(State.FINISHED) == 4
    assert study.settings.question.proxy == "naswot"
    assert study.ledger.epochs == 4
    pruned = [t for t in study.trials if t.state is State.PRUNED]
    assert all(t.score is None and t.scores[0].proxy for t in pruned)
    assert (proxied / "report.html").exists()


def test_an_audit_and_baselines_of_it_stand_in_its_results(proxied: Path) -> None:
    audit = neptune("audit", proxied, "--architectures", 4, "--epochs", 2, "-j", 1)
    assert audit.code == 0, audit
    assert "ranking " in audit.out
    for name in ("rung 0 (naswot)", "rung 1", "synflow", "parameters", "FLOPs"):
        assert name in audit.out
    assert audit.out.splitlines()[-1] == f"Report: {proxied / 'report.html'}"
    baseline = neptune("baseline", proxied, "--samplers", "random", "--trials", 3, "-j", 1)
    assert baseline.code == 0, baseline
    assert "Searching with sampler 'random'.\n" in baseline.err
    assert "of hypervolume" in baseline.out
    study = read_study(proxied)
    assert study.audit is not None
    assert set(study.baselines) == {"random"}


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--proxy", "naswot"), ("`proxy` is measured at rung 0", "0,1,3")),
        (("--proxy", "naswto", "--rungs", "0,1"), ("proxy 'naswto' is unknown", "'naswot'")),
        (("--rungs", "0"), ("rungs must end with at least 1 epoch",)),
        (("--gpus", "a"), ("--gpus needs numbers", "'a'")),
        (("--gpus", "99"), ("GPU 99 does not exist",)),
        (("--gpus", "0", "--device", "cpu"), ("`gpus` and `device cpu` exclude each other",)),
        (("--trials-per-gpu", 2), ("`trials_per_gpu` needs `gpus`",)),
        (
            ("--gpus", "0", "--trials-per-gpu", 0),
            ("`trials_per_gpu` must be a whole number of at least 1",),
        ),
        (("--gpus", "0", "--trials-per-gpu", 2, "-j", 1), ("`jobs` and `trials_per_gpu`",)),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, options: tuple[object, ...], parts: tuple[str, ...]
) -> None:
    outcome = neptune("search", "--space", "tiny", "--out", tmp_path, *options)
    assert_one_sentence(outcome, *parts)


@pytest.mark.parametrize("command", ["audit", "baseline", "confirm"])
def test_a_folder_without_a_study_is_named(tmp_path: Path, command: str) -> None:
    assert_one_sentence(neptune(command, tmp_path), str(tmp_path), "is not a study")


def test_a_study_with_too_few_trials_is_not_audited(study: Path) -> None:
    assert_one_sentence(neptune("audit", study), "has 3 trials", "needs 4", "8 for a verdict")


def test_the_best_are_confirmed(study: Path) -> None:
    outcome = neptune("confirm", study, "--by", "accuracy", "--top", 1, "--seeds", 2, "-j", 1)
    assert outcome.code == 0, outcome
    assert "of 2 seeds" in outcome.err
    assert "0 trials" not in outcome.err
    assert "All have at least 2 seeds." in outcome.out
    assert "Report: " in outcome.out
    assert "confirmed; 95% intervals between seeds in brackets" in outcome.out
    again = neptune("confirm", study, "--by", "accuracy", "--top", 1, "--seeds", 2, "-j", 1)
    assert (again.code, again.err) == (0, "")
    assert "The table above has the same trials as before." in again.out
    more = ("--by", "accuracy", "--top", 3, "--seeds", 2, "--evaluations", 1, "-j", 1)
    assert (
        "Still to confirm: 1 trial; the same command continues."
        in neptune("confirm", study, *more).out
    )
    assert read_study(study).ranking("accuracy")[0].seeds == 2


def test_a_search_may_confirm_its_best_by_itself(tmp_path: Path) -> None:
    asked = ("--space", "tiny", "--trials", 3, "--epochs", 1, "--objectives", "accuracy", "-j", 1)
    alone = (*asked, "--no-yardstick", "--out", tmp_path)
    outcome = neptune("search", *alone, "--confirm", 2)
    assert outcome.code == 0, outcome
    assert "may be the most accurate; the best get 3 seeds each" in outcome.err
    assert " still to confirm" in outcome.err
    assert "Was it luck?" not in outcome.out
    again = neptune("search", *alone, "--confirm", 2)
    assert (again.code, " still to confirm" in again.err) == (0, False)
    study = read_study(tmp_path / "tiny-digits")
    assert sum(len(trial.confirmations) for trial in study.trials) == 2


def test_who_came_into_the_table_and_who_left_it_is_said() -> None:
    """The best of three falls behind with a second score."""
    trials = tuple(make_trial(i, 0.5 + i / 10, 1_000_000) for i in range(3))
    before = Study(Path("x"), settings(question()), trials, Ledger())
    after = with_confirmation(before, 2, Score(1, {"accuracy": 0.1, "loss": 1.0}, seed=1))
    second = Goal(seeds=2, by="accuracy", top=1)
    assert [*confirmed_lines(before, after, second, "x")] == [
        "New in the table above: trial 1.",
        "No longer in the table above: trial 2.",
        "Still to confirm: 1 trial; x continues.",
    ]
    assert next(confirmed_lines(before, after, replace(second, top=2), "x")) == (
        "New in the table above: trial 0."
    )
    assert next(confirmed_lines(before, before, second, "x")) == (
        "The table above has the same trials as before."
    )


def test_a_ranking_that_cannot_be_confirmed_is_one_sentence(study: Path) -> None:
    assert_one_sentence(neptune("confirm", study, "--top", 2), "`top` counts the places", "`by`")
    assert_one_sentence(neptune("confirm", study, "--by", "x"), "ranking 'x' is unknown")


@pytest.mark.parametrize("command", ["audit", "reference"])
def test_a_study_that_is_searched_is_waited_for(proxied: Path, command: str) -> None:
    with Folder(proxied).locked():
        outcome = neptune(command, proxied)
    assert_one_sentence(outcome, "another process", "wait for it")
    assert "--" not in outcome.err  # these commands have no option that gives another name or place


def test_a_plan_shows_where_its_candidate_failed_if_that_is_asked_for(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read_study(study).settings
    survey: Survey[object] = Survey("tiny", (), 1, 1, {}, None)
    score = Score(1, failure="odd", trace="in line 3")
    about = (study, None, settings.question, settings.facts, survey, score)
    planned = DryRun(*about, seconds=9, trials=3, jobs=2)
    print_plan(planned)
    assert "failed: odd (-v shows where)" in (shown := capsys.readouterr().out)
    assert "in line 3" not in shown
    print_plan(planned, verbose=True)
    assert "in line 3" in capsys.readouterr().out


def test_baselines_of_no_trials_are_refused(study: Path) -> None:
    outcome = neptune("baseline", study, "--trials", 0)
    assert_one_sentence(outcome, "baselines need at least 1 trial, but got 0")

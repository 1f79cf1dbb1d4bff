from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.cli.console import console
from neptune_nas.cli.overview import overview
from neptune_nas.cli.summary import print_study, why_ended
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from tests.cli.run import neptune
from tests.report.fixtures import make_reference, plain_results, plain_trial
from tests.study.builders import make_trial, question, settings


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("folder:one:two [bold]x[/bold]")
    assert capsys.readouterr().out == "folder:one:two [bold]x[/bold]\n"


def test_the_front_keeps_its_numbers_on_a_narrow_terminal(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = neptune("status", study).out
    for column in ("trial", "accuracy", "MFLOPs"):
        assert column in out


@pytest.mark.parametrize(("accuracy", "warns"), [(0.1, True), (0.5, False)])
def test_networks_no_better_than_chance_are_called_so(
    capsys: pytest.CaptureFixture[str], accuracy: float, warns: bool
) -> None:
    trials = (make_trial(0, accuracy, 1_000_000),)
    print_study(Study(Path("x"), settings(question()), trials, Ledger(finished=1)))
    assert ("better than chance" in capsys.readouterr().out) is warns


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({}, "train longer, with more `rungs` (--epochs), or check the data."),
        (
            {"evaluator": "table:nets.csv", "trains": False},
            "check the evaluator (table:nets.csv).",
        ),
        (
            {"evaluator": "mine.py:Mine", "trains": False},
            "check the evaluator (mine.py:Mine).",
        ),
    ],
)
def test_what_may_mend_scores_at_chance_depends_on_what_measures(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], remedy: str
) -> None:
    trials = (make_trial(0, 0.1067, 1_000_000), make_trial(1, 0.09, 1_000_000))
    print_study(Study(Path("x"), settings(question(**changes)), trials, Ledger()))
    said = "clearly better than chance: the best accuracy is 0.1067, chance is 0.1000; "
    assert said + remedy in capsys.readouterr().out


@pytest.mark.parametrize(
    ("chance", "best", "is_announced"),
    [(0.5, 0.54, True), (0.5, 0.56, False), (0.95, 0.954, True), (0.95, 0.956, False)],
)
def test_scores_are_compared_with_the_share_of_the_most_frequent_class(
    capsys: pytest.CaptureFixture[str], chance: float, best: float, is_announced: bool
) -> None:
    known = settings(question())
    known = replace(known, facts=replace(known.facts, guess={"accuracy": chance}))
    print_study(Study(Path("x"), known, (make_trial(0, best, 1_000_000),), Ledger()))
    assert ("clearly better than chance" in capsys.readouterr().out) is is_announced


@pytest.mark.parametrize(
    ("objectives", "accuracies", "said"),
    [
        (
            ("accuracy", "flops"),
            (0.5, 0.1, 0.15),  # on 20 images, less than 0.2162 is clearly worse than 0.5
            "1 of 3 finished trials; 2 below 0.2162 left out. "
            "All: neptune-nas report x --format csv --min-accuracy 0\n",
        ),
        (
            ("accuracy", "flops"),
            (0.5,) * 12,
            "10 of 12 finished trials. All: neptune-nas report x --format csv\n",
        ),
        (
            ("accuracy", "loss"),
            (0.5, 0.4) * 6,
            "10 of 12 finished trials. All: neptune-nas report x --format csv\n",
        ),
    ],
)
def test_a_table_without_some_trials_says_how_to_see_all(
    capsys: pytest.CaptureFixture[str],
    objectives: tuple[str, ...],
    accuracies: tuple[float, ...],
    said: str,
) -> None:
    trials = tuple(make_trial(n, each, 1_000_000) for n, each in enumerate(accuracies))
    print_study(Study(Path("x"), settings(question(objectives=objectives)), trials, Ledger()))
    assert f"\n{said}" in capsys.readouterr().out


def test_a_table_of_all_trials_says_nothing_of_more(capsys: pytest.CaptureFixture[str]) -> None:
    trials = (make_trial(0, 0.5, 1_000_000), make_trial(1, 0.48, 900_000))
    print_study(Study(Path("x"), settings(question()), trials, Ledger()))
    assert " of 2 finished" not in capsys.readouterr().out


@pytest.mark.parametrize(("failed", "says"), [(0, False), (2, True)])
def test_a_study_with_failures_says_where_they_are_told(
    capsys: pytest.CaptureFixture[str], failed: int, says: bool
) -> None:
    print_study(Study(Path("x"), settings(question()), (), Ledger(failed=failed)))
    assert ("and where: x/failures.txt" in capsys.readouterr().out) is says


def test_the_most_frequent_reasons_of_failures_are_told_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failures = {"rare": 1, "odd": 2, "sql://me:secret@host gone": 5, "late": 1, "last": 1}
    study = Study(Path("x"), settings(question()), (), Ledger(failed=10, failures=failures))
    print_study(study)
    assert capsys.readouterr().out.splitlines()[2:-1] == [
        *("5 failed: sql://me:***@host gone", "2 failed: odd", "1 failed: rare"),
        "and 2 more reasons",
    ]


def test_three_reasons_are_all(capsys: pytest.CaptureFixture[str]) -> None:
    failures = {"a": 1, "b": 1, "c": 1}
    print_study(Study(Path("x"), settings(question()), (), Ledger(failed=3, failures=failures)))
    assert "more reason" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rungs", "total", "patience", "state", "said"),
    [
        ((1,), 9, 1, State.FINISHED, "after 1 trial in a row that did not improve the front: a l"),
        ((1, 3), 9, 7, State.FINISHED, "after 7 trials in a row at the last rung that did not"),
        ((1,), 9, None, State.FINISHED, "ran out of time: the same command resumes it."),
        ((1,), 9, 7, State.RUNNING, "ran out of time: the same command resumes it."),
        ((1,), 1, None, State.RUNNING, "ran out of time: the same command resumes it."),
    ],
)
def test_a_search_that_ended_before_it_had_all_trials_says_why(
    rungs: tuple[int, ...], total: int, patience: int | None, state: State, said: str
) -> None:
    trials = (replace(make_trial(0, 0.5, 1_000_000), state=state),)
    study = Study(Path("x"), settings(question(rungs=rungs), total), trials, Ledger())
    assert said in (why_ended(study, patience) or "")


def test_a_search_that_had_all_its_trials_has_no_other_reason_to_end() -> None:
    study = Study(Path("x"), settings(question(), 1), (make_trial(0, 0.5, 1_000_000),), Ledger())
    assert why_ended(study, patience=1) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "The space has nothing new left to measure."),
        (
            {"constraints": ("flops<=1M",)},
            "The space has nothing new left to measure that the constraints admit.",
        ),
    ],
)
def test_an_exhausted_search_blames_constraints_where_there_are_any(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    trials = (make_trial(0, 0.5, 1_000_000),)
    study = Study(Path("x"), settings(question(**changes)), trials, Ledger(exhausted=True))
    print_study(study)
    assert said in capsys.readouterr().out
    console().print(overview(study))
    assert said.rstrip(".").lower() in capsys.readouterr().out.lower()


def test_the_summary_ends_with_the_picks_and_the_command_that_trains_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trials = (make_trial(0, 0.9, 1_000_000), make_trial(1, 0.89, 200_000))
    asked = question(objectives=("accuracy", "flops"), constraints=("flops<=3M",))
    print_study(Study(Path("x"), settings(asked), trials, Ledger()))
    lines = " ".join(capsys.readouterr().out.split())
    assert "Most accurate within your limits: trial 0, accuracy 0.9000 (" in lines
    assert "Cheapest that is not clearly worse: trial 1, accuracy 0.8900 (" in lines
    assert "Next: neptune-nas train x --trial 0 " in lines


def test_the_summary_ends_with_the_plain_network_if_that_is_the_one_to_take(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = plain_results(plain_trial(0, None, 800_000, seeds=(0.69, 0.70, 0.71)))
    print_study(replace(study, references=(make_reference("plain-8", 0.80, 0.81, 0.82),)))
    lines = " ".join(capsys.readouterr().out.split())
    assert "Next: neptune-nas train plain-8 --data digits " in lines
    assert "--trial" not in lines.partition("Next:")[2].partition("Report:")[0]


def test_commands_in_the_summary_are_quoted_for_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    trials = tuple(make_trial(i, 0.9 - i / 1000, 1_000_000) for i in range(12))
    print_study(Study(Path("my x"), settings(question()), trials, Ledger()))
    lines = " ".join(capsys.readouterr().out.split())
    for command in ("train 'my x' --trial 0", "confirm 'my x'", "report 'my x' --format csv"):
        assert f"neptune-nas {command}" in lines


def test_what_a_table_scored_is_exported_next(capsys: pytest.CaptureFixture[str]) -> None:
    asked = question(evaluator="table:nets.csv", trains=False)
    print_study(Study(Path("x"), settings(asked), (make_trial(0, 0.9, 1_000_000),), Ledger()))
    lines = " ".join(capsys.readouterr().out.split())
    assert "Next: neptune-nas export x --trial 0 -o trial-0.json" in lines
    assert "neptune-nas train" not in lines


def test_one_trial_may_be_both_picks(capsys: pytest.CaptureFixture[str]) -> None:
    print_study(Study(Path("x"), settings(question()), (make_trial(0, 0.9, 1_000_000),), Ledger()))
    both = "Most accurate · Cheapest that is not clearly worse: trial 0, accuracy 0.9000"
    assert both in " ".join(capsys.readouterr().out.split())

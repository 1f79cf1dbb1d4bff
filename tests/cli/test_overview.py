"""What `neptune-nas status` says of a study that is not complete, or that is confirmed."""

from dataclasses import replace
from pathlib import Path
from time import time

import pytest
from rich.console import Console

from neptune_nas.cli.overview import overview
from neptune_nas.metrics.score import Score
from neptune_nas.study.audit import AuditRecord, Truth
from neptune_nas.study.confirmation import (
    Aim,
    Goal,
    missing_seeds,
    with_confirmation,
    write_confirmations,
)
from neptune_nas.study.folder import Folder
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.references import Reference
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from tests.study.builders import make_trial, question, settings


@pytest.fixture
def half(tmp_path: Path) -> Study:
    """Two trials of four, the second without an end."""
    timed = make_trial(0, 0.5, 100)
    timed = replace(timed, scores=(replace(timed.scores[0], started=1.0, seconds=1.0),))
    trials = (timed, make_trial(1, None, 100))
    return Study(tmp_path, settings(question(), trials=4), trials, Ledger())


@pytest.fixture
def paced(half: Study) -> Study:
    """Return the same with a third trial, by which its pace is known."""
    third = make_trial(2, 0.4, 200)
    third = replace(third, scores=(replace(third.scores[0], started=2.0, seconds=1.0),))
    return replace(half, trials=(*half.trials, third))


def said(study: Study) -> str:
    terminal = Console(width=200)
    with terminal.capture() as capture:
        terminal.print(overview(study))
    return capture.get()


def test_a_stopped_study_has_no_time_left(paced: Study) -> None:
    text = said(paced)
    assert "stopped: run the same search to resume\nunfinished: trial 1\n" in text
    assert " left" not in text


def test_a_study_at_work_has(paced: Study) -> None:
    with Folder(paced.folder).locked():
        text = said(paced)
    assert " left\nat work\n" in text


def test_where_nobody_can_know_a_study_is_neither_and_has_no_time_left(paced: Study) -> None:
    Folder(paced.folder).lock.mkdir()
    assert says_nothing_of_work(said(paced))


def test_a_study_in_a_storage_of_its_own_may_be_searched_elsewhere(paced: Study) -> None:
    shared = replace(paced, settings=replace(paced.settings, storage="mysql://host/studies"))
    assert says_nothing_of_work(said(shared))
    with Folder(paced.folder).locked():
        assert " left\nat work\n" in said(shared)


def says_nothing_of_work(text: str) -> bool:
    """Return whether the trial without an end is named, and no more is said."""
    told = any(part in text for part in ("at work", "stopped", " left"))
    return "\nunfinished: trial 1\n" in text and not told


def test_a_complete_study_is_neither(half: Study) -> None:
    text = said(replace(half, trials=half.trials[:1], settings=replace(half.settings, trials=1)))
    assert "at work" not in text
    assert "stopped" not in text


def test_more_trials_than_asked_for_are_all_of_them(half: Study) -> None:
    assert "1/2 trials" in said(replace(half, settings=replace(half.settings, trials=1)))


@pytest.fixture
def done(tmp_path: Path) -> Study:
    """Return a study of two trials on the front, which were to have two seeds each; one has."""
    trials = (make_trial(0, 0.5, 100), make_trial(1, 0.6, 200))
    study = Study(tmp_path, settings(question(), trials=2), trials, Ledger())
    seed = missing_seeds(study.settings.question, trials[1], Goal(2))[0]
    study = with_confirmation(
        study, 1, Score(1, {"accuracy": 0.6, "loss": 1.0}, seed=seed, started=time() - 90)
    )
    write_confirmations(Folder(tmp_path).confirmations, study.trials, Aim(Goal(2)))
    return study


def test_a_study_that_is_confirmed_now_says_how_far(done: Study) -> None:
    with Folder(done.folder).locked_to_confirm():
        text = said(done)
    assert "\nconfirming: 1 of 2 further scores, 1 trial still to confirm\nlast result 1m3" in text
    assert "at work" not in text


def test_one_whose_confirming_was_stopped_says_how_to_go_on(done: Study) -> None:
    stopped = "confirmed: 1 of 2 further scores, 1 trial still to confirm; stopped: run the same"
    assert f"\n{stopped} command to resume\n" in said(done)


def test_one_whose_confirming_came_to_its_end_was_not_stopped(done: Study) -> None:
    file = Folder(done.folder).confirmations
    write_confirmations(file, done.trials, Aim(Goal(2), most=1))
    assert "\nconfirmed: 1 of 1 further score, 1 trial still to confirm\n" in said(done)
    write_confirmations(file, done.trials, Aim(Goal(2, "accuracy", 1)))
    assert "\nconfirmed: 1 of 1 further score\n" in said(done)


def test_a_complete_study_that_is_measured_for_is_not_confirmed_now(done: Study) -> None:
    with Folder(done.folder).locked():
        text = said(done)
    assert "\nat work after the search\nconfirmed: 1 of 2 further scores" in text
    assert "stopped" not in text


def test_a_study_that_was_never_confirmed_says_nothing_of_it(done: Study) -> None:
    Folder(done.folder).confirmations.unlink()
    assert "confirm" not in said(done)


def test_a_rung_is_named_in_its_own_words(half: Study) -> None:
    asked = question(rungs=(0, 1), proxy="synflow")
    text = said(replace(half, settings=settings(asked, trials=4)))
    assert "rungs: 0 at synflow, 1 at 1 epoch\n" in text


def test_there_is_no_front_of_a_study_in_which_all_failed(half: Study) -> None:
    assert "Pareto front" in said(half)
    failed = tuple(replace(t, scores=(), state=State.FAILED) for t in half.trials)
    assert "Pareto front" not in said(replace(half, trials=failed))


def test_how_far_an_audit_and_references_are_is_said_in_a_line_each(done: Study) -> None:
    assert not any(name in said(done) for name in ("audit:", "references:"))
    failed, good = Score(20, failure="odd"), Score(20, {"accuracy": 0.5})
    truths = tuple(Truth(i, "", failed if i == 3 else good, {}) for i in range(12))
    measured = replace(
        done,
        full_budget=AuditRecord(20, truths),
        references=(Reference("resnet8", {}, (good, failed)), Reference("resnet20", {}, (good,))),
    )
    text = said(measured)
    assert "\naudit: 12 architectures at 20 epochs, 1 failed\n" in text
    assert "\nreferences: 2 networks at 1 epoch, 3 seeds, 1 failed\n" in text


def test_a_confirmation_that_failed_is_counted(done: Study) -> None:
    failed = with_confirmation(done, 0, Score(1, failure="odd", seed=5))
    assert "further scores, 1 failed, 1 trial still to confirm" in said(failed)

"""What a search prints where there is no terminal."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from neptune_nas.cli.progress import HYPERVOLUME, Log, result_line, say, watching
from neptune_nas.study.progress import Progress, progress_line
from neptune_nas.study.trial import State, Trial
from tests.study.builders import make_trial

TRIAL = make_trial(3, 0.5, 2_000_000, fidelity=4)
SCORE = TRIAL.scores[0]


def progress(done: int) -> Progress:
    return Progress(done, 5, 1, 0, None, 0.25, None, TRIAL)


def said(*, verbose: bool) -> list[str]:
    """Return what is printed of five results at once, and of the end."""
    out = StringIO()
    log = Log(Console(file=out, width=200), Path("studies/x"), verbose=verbose)
    for done in range(1, 6):
        log(progress(done))
    log.end()
    return out.getvalue().splitlines()


def test_the_last_result_is_printed_at_the_end_however_soon_it_came() -> None:
    begin, *lines = said(verbose=False)
    assert begin == f"Searching into studies/x. {HYPERVOLUME}"
    assert [line.partition(" ")[0] for line in lines] == ["1/5", "5/5"]


class Terminal(StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_sentence_has_a_line_of_its_own_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with watching(Path("x"), quiet=False, verbose=False):
        say("Searching.")
    assert "\x1b[2KSearching.\n" in terminal.getvalue()


def test_the_last_trial_is_printed_at_once_whatever_comes_after() -> None:
    out = StringIO()
    log = Log(Console(file=out, width=200), Path("x"), verbose=False)
    for done in (1, 5, 1, 2):
        log(progress(done))
    assert [line[:3] for line in out.getvalue().splitlines()[1:]] == ["1/5", "5/5"]


def test_promotions_after_the_last_trial_do_not_each_get_a_line() -> None:
    out = StringIO()
    log = Log(Console(file=out, width=200), Path("x"), verbose=False)
    for finished in range(5):
        log(replace(progress(5), finished=finished))
    log.end()
    first, last = out.getvalue().splitlines()[1:]
    assert first.startswith("5/5 trials, best")
    assert last.startswith("5/5 trials, 4 at the last rung, best")


@pytest.mark.parametrize(
    ("done", "finished", "failed", "start"),
    [
        (4, 1, 0, "4/5 trials, best"),  # more will come
        (5, 2, 1, "5/5 trials, 2 at the last rung, best"),
        (5, 4, 1, "5/5 trials, best"),  # all that can get there
    ],
)
def test_once_all_trials_are_scored_those_at_the_last_rung_are_counted(
    done: int, finished: int, failed: int, start: str
) -> None:
    line = progress_line(replace(progress(done), finished=finished, failed=failed))
    assert line.startswith(start)


def test_each_result_is_printed_with_its_trial_if_that_is_asked_for() -> None:
    lines = said(verbose=True)[1:]
    assert len(lines) == 5
    assert all(line.startswith(f"{result_line(TRIAL)}; ") for line in lines)


def test_the_traceback_of_each_reason_is_printed_once_if_that_is_asked_for() -> None:
    out = StringIO()
    log = Log(Console(file=out, width=200), Path("x"), verbose=True)
    for failure in ("odd", "odd", "even"):
        score = replace(SCORE, failure=failure)
        failed = replace(TRIAL, scores=(score,), failure=failure, trace=f"where it is {failure}")
        log(replace(progress(1), newest=failed))
    traces = [line for line in out.getvalue().splitlines() if line.startswith("where")]
    assert traces == ["where it is odd", "where it is even"]


def test_nothing_is_printed_of_a_search_without_a_result() -> None:
    out = StringIO()
    Log(Console(file=out), Path("x"), verbose=True).end()
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("trial", "text"),
    [
        (TRIAL, "trial 3: accuracy 0.5000 at 4, 2.000 MFLOPs, "),
        (replace(TRIAL, scores=(replace(SCORE, failure="no"),)), "trial 3: failed (no), 2.000"),
        (replace(TRIAL, scores=(replace(SCORE, proxy=12.5),)), "trial 3: proxy 12.5, 2.000"),
        (replace(TRIAL, scores=(), state=State.FAILED), "trial 3 failed: 2.000 MFLOPs, "),
    ],
)
def test_a_result_names_its_trial_and_what_that_costs(trial: Trial, text: str) -> None:
    assert result_line(trial).startswith(text)


@pytest.mark.parametrize(
    ("done", "accuracy", "text"),
    [(0, None, "best accuracy -,"), (2, None, "none at the last rung yet"), (2, 0.5, " 0.5000,")],
)
def test_that_no_trial_is_at_the_last_rung_is_said(
    done: int, accuracy: float | None, text: str
) -> None:
    assert text in progress_line(replace(progress(done), best_score=accuracy))

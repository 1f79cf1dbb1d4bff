from pathlib import Path
from typing import Any

import pytest

from neptune_nas.cli.console import console
from neptune_nas.cli.overview import overview
from neptune_nas.cli.summary import print_study
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.study import Study
from tests.cli.run import neptune
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
    ("changes", "said"),
    [
        ({}, "The space has nothing new left."),
        (
            {"constraints": ("flops<=1M",)},
            "The space has nothing new left that the constraints admit.",
        ),
        ({"evaluator": "table:nets.csv"}, "The table has nothing new left."),
    ],
)
def test_an_exhausted_search_blames_constraints_and_tables_where_there_are_any(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    trials = (make_trial(0, 0.5, 1_000_000),)
    study = Study(Path("x"), settings(question(**changes)), trials, Ledger(exhausted=True))
    print_study(study)
    assert said in capsys.readouterr().out
    console().print(overview(study))
    assert said.rstrip(".").lower() in capsys.readouterr().out.lower()

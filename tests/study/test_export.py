"""The step after a study."""

from dataclasses import replace
from pathlib import Path
from shlex import split

from neptune_nas.study.export import next_command
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.study import Study
from tests.study.builders import make_trial, question, settings


def study_in(folder: str, trains: bool = True, code: dict[str, str] | None = None) -> Study:
    found = settings(question(trains=trains))
    found = replace(found, facts=replace(found.facts, code=code or {}))
    return Study(Path(folder), found, (make_trial(3, 0.9, 1_000),), Ledger())


def test_what_was_trained_briefly_is_trained_in_full_next() -> None:
    assert next_command(study_in("x"), 3) == ("neptune-nas", "train", "x", "--trial 3")


def test_what_was_not_trained_is_exported_next() -> None:
    expected = ("neptune-nas", "export", "x", "--trial 3", "-o trial-3.json")
    assert next_command(study_in("x", trains=False), 3) == expected
    assert next_command(study_in("x", code={"__main__:Gate": "0123"}), 3) == expected


def test_the_next_command_is_quoted_for_a_shell() -> None:
    folder = "my studies/it's $HOME"
    words = split(" ".join(next_command(study_in(folder), 3)))
    assert words == ["neptune-nas", "train", folder, "--trial", "3"]

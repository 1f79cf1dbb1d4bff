"""Running the command line inside the test's process."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from neptune_nas.cli import run


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


ALONE = ("--no-yardstick", "--confirm", 0)  # a search without what it measures after its trials


def neptune(*arguments: object) -> Outcome:
    """Run `neptune-nas` with these arguments; any exception that escapes fails the test."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    argv = ["neptune-nas", *map(str, arguments)]
    with patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            run()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
    return Outcome(code, out.getvalue(), err.getvalue())


def assert_one_sentence(outcome: Outcome, *parts: str) -> None:
    """Check that the command failed as on a user's mistake: exit code 2, one line, all `parts`."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    assert line.startswith("neptune-nas: ")
    for part in parts:
        assert part in line

import io
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import typer
from rich.table import Table
from rich.text import Text

from neptune_nas.cli.console import console, fail_unless_any
from neptune_nas.cli.terminal import print_line, print_text, safe_streams
from neptune_nas.metrics.score import Score
from tests.cli.run import neptune

ACTING = (
    "\x1b[31mred",
    "\x9b2J",
    "\x1b]8;;http://evil\x1b\\link",
    "one\rtwo",
    "a\x08b",
    "right\u202eleft",
    "zero\u200bwidth",
    "not utf-8 \udcff",
)


@pytest.mark.parametrize("text", ACTING)
def test_nothing_that_acts_is_printed_by_anyone(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with safe_streams():
        print_line(text)
        print_text(text)
        print(text)
        print(text, file=sys.stderr)
    out, err = capsys.readouterr()
    assert (out + err).replace("\n", "").isprintable()


@pytest.mark.parametrize("text", ACTING)
def test_nothing_that_acts_is_printed_in_a_table(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table("one", "two", "three")
    table.add_row(text, Text(text), "[red]x[/red]")
    console().print(table)
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert "[red]" in out


def test_a_line_break_starts_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("a\nneptune-nas: all is well")
    assert capsys.readouterr().out == "a\\nneptune-nas: all is well\n"


@pytest.mark.parametrize("command", [("report",), ("status",), ("train",), ("show",), ("export",)])
def test_a_name_of_a_file_is_shown_and_not_obeyed(command: tuple[str, ...]) -> None:
    outcome = neptune(*command, "no\x1b[31m\nsuch")
    assert outcome.err.endswith("\n")
    assert "\\x1b[31m\\nsuch" in outcome.err
    assert outcome.err.replace("\n", "").isprintable()


def test_an_ascii_terminal_gets_escapes_of_what_it_lacks() -> None:
    raw = io.BytesIO()
    ascii_only = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    with redirect_stdout(ascii_only), safe_streams():
        print_line("± ü")
    assert raw.getvalue() == b"\\xb1 \\xfc\n"


def listing(stdout: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "neptune_nas", "space", "list"],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def test_a_closed_pipe_ends_a_command_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = listing(writer)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_said_in_a_sentence() -> None:
    with open("/dev/full", "w") as full:
        ended = listing(full.fileno())
    assert ended.returncode == 2
    assert ended.stderr == (
        "neptune-nas: the output cannot be written (No space left on device): choose another place "
        "or make room.\n"
    )


def failed(reason: str) -> Score:
    return Score(1, {}, seed=0, seconds=1.0, failure=reason)


def test_a_search_of_which_nothing_worked_says_the_commonest_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit, match="1"):
        fail_unless_any([failed("rare"), failed("often"), failed("often")], "trial")
    assert capsys.readouterr().err == "neptune-nas: no trial worked; most frequent reason: often\n"


def test_one_score_is_enough_and_none_are_no_failure() -> None:
    fail_unless_any([failed("x"), Score(1, {"accuracy": 0.5}, seed=0, seconds=1.0)], "trial")
    fail_unless_any([], "trial")

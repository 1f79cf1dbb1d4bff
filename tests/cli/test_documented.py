"""Every command line in the documentation names commands and options that there are."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from neptune_nas.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^\S*neptune-nas (.*)$", re.MULTILINE)
MENTION = re.compile(r"`neptune-nas ([^`]+)`")
OPTION = re.compile(r"`(--[a-z0-9-]+)")


def texts() -> list[str]:
    return [page.read_text() for page in PAGES]


def lines() -> Iterator[str]:
    """Return the commands in blocks, to be typed as they are."""
    for text in texts():
        for block in BLOCK.findall(text):
            yield from LINE.findall(block)


def mentions() -> Iterator[str]:
    """Return the commands in running text, often without their arguments."""
    for text in texts():
        yield from MENTION.findall(text)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that the words begin with, and its arguments."""
    command: Any = get_command(app)
    while words and hasattr(command, "commands"):
        if words[0] == "...":
            return command, []
        assert words[0] in command.commands, f"{words[0]} is no command"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options_of(command: Any) -> set[str]:
    """Return the names of a command's options, and of all commands below it."""
    names = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return names.union(*map(options_of, getattr(command, "commands", {}).values()), {"--help"})


@pytest.mark.parametrize("line", [*lines()])
def test_a_command_in_a_block_can_be_typed(line: str) -> None:
    command, words = command_of(shlex.split(line, comments=True))
    assert command.make_context("neptune-nas", words) is not None


@pytest.mark.parametrize("mention", [*mentions()])
def test_a_command_in_the_text_names_what_there_is(mention: str) -> None:
    command, words = command_of(shlex.split(mention))
    assert {word for word in words if word.startswith("-")} <= options_of(command)


def test_every_option_in_the_text_belongs_to_a_command() -> None:
    named = {name for text in texts() for name in OPTION.findall(text)}
    assert named <= options_of(get_command(app))


def test_there_are_commands_to_look_at() -> None:
    assert len({*lines()}) >= 10
    assert len({*mentions()}) >= 5


def test_a_command_that_is_misspelt_would_be_found() -> None:
    command, words = command_of(["search", "--dataset", "digits"])
    with pytest.raises(Exception, match="No such option: --dataset"):
        command.make_context("neptune-nas", words)

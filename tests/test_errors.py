"""Messages: about unknown names, and in words that Python and the command line share."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import neptune_nas
from neptune_nas.errors import (
    ArchitectureError,
    DataError,
    FileFormatError,
    NeptuneError,
    OptionError,
    SpaceError,
    StudyError,
    first_line,
    one_of,
)


def test_an_unknown_name_gets_the_nearest_and_all_known_ones() -> None:
    assert (
        one_of(["b", "default", "a"], "defualt") == "did you mean 'default'? Known: a, b, default."
    )


@pytest.mark.parametrize(
    ("names", "got", "meant"),
    [
        (("evolution", "local"), "evolv", "evolution"),
        (("accuracy", "activations"), "acc", "accuracy"),
        (("cifar100", "cifar10"), "cifar", "cifar10"),
        (("cifar10", "mnist"), "CIFAR10", "cifar10"),
        (("cpu", "cuda"), "cud", "cuda"),
        (("GPSampler", "TPESampler"), "tpes", "TPESampler"),
        (("GPSampler", "TPESampler"), "TPESampller", "TPESampler"),
        (("QMCSampler", "TPESampler"), "QMCX", "QMCSampler"),
        (("default", "tiny"), "DEFUALT", "default"),
    ],
)
def test_a_beginning_or_something_like_it_is_enough_in_capitals_or_not(
    names: tuple[str, ...], got: str, meant: str
) -> None:
    assert one_of(names, got).startswith(f"did you mean '{meant}'? ")


def test_nothing_is_near_to_nothing() -> None:
    assert one_of(("b", "a"), "") == "choose one of a, b."


def test_of_a_long_message_the_first_line_is_taken_and_of_none_its_kind() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"


def test_a_name_like_none_gets_all_known_ones() -> None:
    assert one_of(("b", "a"), "xyz") == "choose one of a, b."


@pytest.mark.parametrize(
    "kind",
    [ArchitectureError, SpaceError, DataError, StudyError, FileFormatError, OptionError],
)
def test_every_kind_is_one_that_is_shown_without_a_traceback(kind: type) -> None:
    assert issubclass(kind, NeptuneError)


PACKAGE = Path(neptune_nas.__file__).parent
OPTION = re.compile(r"(?<![\w(|-])\(?--[a-z]")  # no CSS variable `var(--ink)`, no command to copy


def texts(file: Path) -> Iterator[str]:
    """Return the strings in a file, without what is filled in."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_outside_the_command_line_an_option_is_named_for_python_too() -> None:
    files = [f for f in PACKAGE.rglob("*.py") if f.relative_to(PACKAGE).parts[0] != "cli"]
    named = [text for file in files for text in texts(file) if OPTION.search(text)]
    assert len(named) > 10
    assert [t for t in named if OPTION.search(re.sub(r"`[a-z_]+` \(--[a-z-]+\)", "", t))] == []

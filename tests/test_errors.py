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
    description,
    first_line,
    one_of,
    trace_of,
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


class SilentError(Exception):
    """An error whose message cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("none")


def test_an_error_is_described_whatever_its_message() -> None:
    assert description(SystemExit("no GPU here")) == "SystemExit: no GPU here"
    assert description(SilentError()) == "SilentError: a message that cannot be shown (ValueError)"
    assert first_line(SilentError()).startswith("a message that cannot be shown")
    assert description(ValueError("a\n\x1b[1mb\u202ec")) == "ValueError: a \\x1b[1mb\\u202ec"
    assert len(description(ValueError("x" * 10**6))) < 400
    assert len(trace_of(ValueError("x" * 10**6))) <= 20_000
    assert "SilentError" in trace_of(SilentError())


@pytest.mark.parametrize("value", ["x" * 5000, "/".join(["y" * 200] * 25), "a b " * 1250])
def test_no_message_repeats_thousands_of_characters(value: str) -> None:
    said = str(OptionError(f"`data` must be known, but got {value}: choose mnist."))
    assert said.startswith("`data` must be known, but got ")
    assert said.endswith(": choose mnist.") or "..." in said[-60:]
    assert len(said) <= 2_000


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
    others = ("tensorboard ", "MLFLOW_ALLOW_FILE_STORE=true mlflow ", "an older Optuna wrote it. ")
    is_command = re.compile(
        r"\s*--[a-z-]+ |--int8| --graph=.*"
    ).fullmatch  # a part of a command to copy
    named = [text for text in named if not (text.startswith(others) or is_command(text))]
    assert len(named) > 10
    both = r"`[a-z0-9_]+(=\d)?` \(--[a-z0-9-]+( \d)?\)"
    assert [text for text in named if OPTION.search(re.sub(both, "", text))] == []

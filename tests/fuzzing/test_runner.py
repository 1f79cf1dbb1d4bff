"""The harness sees each kind of fault, blames the right case, and judges the others."""

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from neptune_nas import cli
from neptune_nas.errors import DataError
from tests.fuzzing.oracle import Case, Kind, Verdict, command, difference, json_in
from tests.fuzzing.runner import Limits, MakeCase, judge_elsewhere

earlier: list[str] = []  # cases that this process has read


def refuse(text: str) -> None:
    raise DataError(text)


def fail_with(text: str) -> None:
    """Let a command be refused with a text."""

    def fail() -> None:
        print(f"neptune-nas: {text}", file=sys.stderr)
        sys.exit(2)

    with patch.object(cli, "run", fail):
        command("show")


def warn() -> None:
    warnings.warn("a library's own words", stacklevel=1)


def fill() -> None:
    len(bytearray(400 * 2**20))


def cases(given: Path) -> list[tuple[Kind, Callable[[], object]]]:
    """Return each kind of end with what ends so."""
    outside = given.parent / "outside"
    return [
        (Kind.ACCEPTED, lambda: None),
        (Kind.REFUSED, lambda: refuse("it must be whole: repair it.")),
        (Kind.REFUSED, lambda: command("show", given / "nothing.json")),
        (Kind.TRACEBACK, lambda: int("x")),
        (Kind.TRACEBACK, lambda: sys.exit(2)),
        (Kind.HANG, lambda: time.sleep(60)),
        (Kind.DIED, lambda: os.kill(os.getpid(), signal.SIGSEGV)),
        (Kind.ACCEPTED, lambda: None),
        (Kind.MEMORY, fill),
        (Kind.SILENT, lambda: json_in(b'{"a": 1, "a": 2}')),
        (Kind.STRAY, lambda: (outside / "victim").write_text("other")),
        (Kind.STRAY, lambda: (outside / "more").touch()),
        (Kind.STRAY, lambda: (given / "more").touch()),
        (Kind.STRAY, lambda: Path("more").touch()),
        (Kind.REFUSED, lambda: refuse("it is \x1b[31mred\nin two lines")),  # made safe when printed
        (Kind.MESSAGE, lambda: fail_with("it is \x1b[31mred")),
        (Kind.MESSAGE, lambda: fail_with("a" * 5000)),
        (Kind.MESSAGE, warn),
        (Kind.ACCEPTED, lambda: earlier.append("it")),
        (Kind.ACCEPTED, lambda: int(*earlier)),  # right alone, wrong after the one before
    ]


COUNT = len(cases(Path()))


def open_reader(_: Path) -> MakeCase:
    """Return what makes one case of each kind, in turn; the command that one runs is imported."""
    import_module("neptune_nas.cli.measuring")

    def make(rng: Random, given: Path) -> Case:
        kind, read = cases(given)[int(given.parent.name)]
        return Case(f"{kind}, {rng.random()}", read)

    return make


@pytest.fixture(scope="module")
def verdicts() -> dict[int, Verdict]:
    found = judge_elsewhere({"planted": open_reader}, COUNT, Limits(seconds=2, megabytes=256))
    assert len(found) == COUNT
    return {each.number: each for each in found}


@pytest.mark.parametrize("number", range(COUNT))
def test_each_end_is_seen_as_what_it_is(verdicts: dict[int, Verdict], number: int) -> None:
    wanted, _ = cases(Path())[number]
    assert verdicts[number].kind is wanted, verdicts[number]


def test_a_case_is_the_same_for_equal_seeds(verdicts: dict[int, Verdict]) -> None:
    again = judge_elsewhere({"planted": open_reader}, 2)
    assert [each.label for each in again] == [verdicts[number].label for number in range(2)]
    assert verdicts[0].label != verdicts[1].label


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"a": 1}, {}),
        ({"a": 1}, {"a": True}),
        ({"a": [1, 2]}, {"a": [1]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d"}}),
        ({"a": 1}, {"a": 2}),
        ({"a": None}, {"a": 0}),
    ],
)
def test_a_part_that_is_dropped_or_changed_is_a_difference(given: object, kept: object) -> None:
    assert difference(given, kept) is not None
    assert difference(kept, kept) is None


def test_a_number_may_be_written_otherwise_and_a_default_be_added() -> None:
    assert difference({"a": 1, "b": None}, {"a": 1.0, "c": 2}) is None
    assert difference([float("nan")], [float("nan")]) is None

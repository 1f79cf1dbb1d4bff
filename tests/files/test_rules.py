"""A hint as a test of values, and as words."""

from collections.abc import Mapping, Sequence
from math import inf, nan
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import pytest
import torch

from neptune_nas.files.rules import (
    DIFFERENT,
    LARGEST,
    NOT_EMPTY,
    NOT_NAN,
    ODD,
    Count,
    Number,
    OptionalSize,
    Positive,
    Share,
    Sides,
    Size,
    as_plain,
    at_least,
    below,
    words_for,
)
from neptune_nas.files.schema import fits


class Unseen(Protocol):
    """A protocol for type checkers only."""


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (Count, [0, 1, 10**400], [-1, True, 1.0, "1", None, inf, int]),
        (Size, [1, 2, LARGEST], [0, True, LARGEST + 1, 2**63]),
        (OptionalSize, [0, LARGEST], [-1, LARGEST + 1]),
        (Number, [0, -1.5, 1e300, np.float64(1)], [True, inf, -inf, nan, 10**400, "1", None]),
        (Number | None, [0, None], [inf, "1"]),
        (Share, [0, 1, 0.5], [-0.1, 1.1, nan, True]),
        (Positive, [0.1, 1, inf], [0, -1, nan]),
        (Annotated[float, at_least(0), below(1)], [0, 0.9], [1, -0.1, nan]),
        (Annotated[float, NOT_NAN], [inf], [nan]),
        (Annotated[Size, ODD], [1, 7], [0, 2, -1, 3.0]),
        (Sides, [(1, 2, 3)], [(1, 2), (0, 1, 1), (1.5, 8, 8), (True, 1, 1), [1, 2, 3], None]),
        (Annotated[tuple[str, ...], DIFFERENT], [(), ("a", "b")], [("a", "a"), (1,), "ab"]),
        (Annotated[str, NOT_EMPTY], ["a"], ["", None]),
        (dict[str, int], [{"a": 1}, {}], [{"a": "1"}, {"a": True}, []]),
        (Mapping[str, Any], [{"a": None}], [[1]]),
        (Sequence[int], [[1], (1, 2)], ["12", [1, "2"], 1, b"1"]),
        (Literal["a", "b"], ["a"], ["c", 1, None]),
        (Literal[1, "a"], [1, "a"], [True, 1.0]),
        (int | None, [1, None], [int, "1", 1.5]),
        (str | Path, ["a", Path("a")], [3, Path]),
        (Any, [3, None, int], []),
        (Unseen, [3], []),
        (Annotated[int, "a note of another library"], [3], ["3"]),
    ],
)
def test_a_hint_is_a_test(hint: Any, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not fits(value, hint)] == []
    assert [value for value in bad if fits(value, hint)] == []


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Literal["a", "b"] | None, "one of a, b"),
        (int | Literal["auto"], "a whole number or 'auto'"),
        (Annotated[Size, ODD], "an odd whole number of at least 1"),
        (Sides, "a list of 3 whole numbers of at least 1"),
        (tuple[tuple[int, ...], ...], "a list of lists of whole numbers"),
        (dict[str, int], "an object of whole numbers"),
        (Annotated[str, "a note"], "a string"),
    ],
)
def test_a_hint_is_said_in_words(hint: Any, words: str) -> None:
    assert words_for(hint) == words


def test_python_has_tuples_and_dicts() -> None:
    assert words_for(tuple[str, ...] | Path, python=True) == "a tuple of strings or a Path"
    assert words_for(dict[str, Any], python=True) == "a dict of values"


@pytest.mark.parametrize("number", [np.float32(0.5), np.array(0.5), torch.tensor(0.5), 0.5])
def test_numbers_of_other_libraries_become_plain(number: object) -> None:
    assert type(as_plain(number)) is float


def test_an_array_stays_as_it_is() -> None:
    array = np.array([0.5])
    assert as_plain(array) is array

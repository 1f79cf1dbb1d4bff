"""What is of another type is refused in a sentence that says what was meant."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from neptune_nas.errors import OptionError
from neptune_nas.files.type_hints import fits, in_words
from neptune_nas.search.config import Search
from tests.study.fakes import Arithmetic


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("objectives", "accuracy,flops", r": write \('accuracy', 'flops'\)\."),
        ("trials", np.int64(5), r"but got np\.int64\(5\): write 5\."),
        ("space", Path("a.py"), r": write 'a\.py'\."),
        ("trials", "3", r"`trials` must be a whole number, but got '3': write 3\.$"),
        ("trials", None, r"`trials` must be a whole number, but got None\.$"),
        ("trials", True, "`trials` must be a whole number, but got True"),
        ("seed", "x", "`seed` must be a whole number, but got 'x'"),
        ("jobs", 1.5, "`jobs` must be a whole number, but got 1.5"),
        ("timeout", "5", r"`timeout` must be a number, but got '5': write 5\.$"),
        ("timeout", "5m", r"`timeout` must be a number, but got '5m'\.$"),
        ("rungs", 1, r"`rungs` must be a tuple, each a whole number, but got 1: write \(1,\)"),
        ("rungs", "1,3", r"but got '1,3': write \(1, 3\)"),
        ("rungs", np.array([1, 3]), r"but got array\(\[1, 3\]\): write \[1, 3\]"),
        ("rungs", [1, "3"], r"`rungs` must be a tuple, each a whole number, but got \[1, '3'\]\.$"),
        ("gpus", 0, r"`gpus` must be a tuple, each a whole number, but got 0: write \(0,\)"),
        ("objectives", "accuracy", r"must be a tuple, each text, .* write \('accuracy',\)"),
        (
            "sampler",
            Arithmetic,
            r'`sampler` must be text, .*: name it as text, "tpe" or "FILE.py:Cl',
        ),
        ("sampler", Arithmetic(), r"with its arguments as `sampler_kwargs`\.$"),
        ("sampler_kwargs", [1], r"`sampler_kwargs` must be a dict of values, but got \[1\]"),
        ("recipe", {"lr": 1.0}, "`recipe` must be a Recipe, but got {'lr': 1.0}"),
        ("space", 3, "`space` must be text or a Space, but got 3"),
        ("out", 3, "`out` must be text or a Path, but got 3"),
        ("evaluator", "synflow", "`evaluator` must be an Evaluator, but got 'synflow'"),
        (
            "evaluator",
            Arithmetic,
            r"`evaluator` must be an Evaluator, .*write Arithmetic\(\.\.\.\)",
        ),
    ],
)
def test_a_search_refuses_what_is_of_another_type(field: str, value: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Search(**{"space": "tiny", field: value})


def test_every_field_of_a_search_may_be_of_its_type() -> None:
    asked: dict[str, Any] = {"data_dir": Path("there"), "timeout": 5, "evaluator": Arithmetic()}
    search = Search("tiny", rungs=(1, 3), sampler_kwargs={"n": 1}, **asked)
    assert search.timeout == 5


@pytest.mark.parametrize(
    ("value", "hint", "does"),
    [
        ({"a": 1}, dict[str, int], True),
        ({"a": "1"}, dict[str, int], False),
        ({"a": None}, Mapping[str, Any], True),
        ((1, 2), tuple[int, int, int], False),
        ("b", Literal["a", "b"], True),
        (int, int | None, False),
        (3, Any, True),
    ],
)
def test_a_value_fits_its_hint(value: object, hint: Any, does: bool) -> None:
    assert fits(value, hint) is does


def test_a_hint_is_said_in_words() -> None:
    assert in_words(Literal["a", "b"] | None) == "one of a, b"
    assert in_words(dict[str, int]) == "a table of a whole number"

from dataclasses import dataclass, field, replace
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.evaluators.parameters import LONGEST, parameters_of
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.training.recipe import Recipe


@dataclass(frozen=True)
class Free:
    """An evaluator with a field for anything."""

    value: Any
    folder: str = field(default="here", compare=False)
    device: str = "cpu"
    twice: int = field(default=2, init=False)


class Plain:
    """An evaluator that is no dataclass."""

    value = 3


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (3, 3),
        (True, True),
        (inf, inf),
        ((1, ("a",)), [1, ["a"]]),
        ({"a": (1,), "b": None, 3: 4}, {"a": [1]}),
        (Free([1.5]), {"value": [1.5]}),
    ],
)
def test_a_field_is_told_as_json_holds_it(value: object, told: object) -> None:
    assert parameters_of(Free(value)) == {"value": told}


@pytest.mark.parametrize("value", [None, nan, Path("a"), {1, 2}, [1, None], b"", int])
def test_a_field_that_json_cannot_hold_is_left_out(value: object) -> None:
    assert parameters_of(Free(value)) == {}


def test_what_is_no_dataclass_has_no_parameters_that_are_known() -> None:
    assert parameters_of(Plain()) is None
    assert parameters_of(lambda: 3) is None
    assert parameters_of(None) is None


def test_a_long_value_is_told_by_its_digest() -> None:
    names = {str(n): n for n in range(LONGEST)}
    (one,) = (parameters_of(Free(names)) or {}).values()
    (other,) = (parameters_of(Free({**names, "0": 1})) or {}).values()
    assert one.startswith("sha256:")
    assert one != other


def test_where_a_training_is_measured_is_no_parameter_of_it() -> None:
    training = ShortTraining("digits", "/there", Recipe(lr=0.1), device="cuda")
    told = parameters_of(training)
    assert told == parameters_of(replace(training, data_dir="/here", device="cpu"))
    assert told is not None
    assert told["recipe"]["lr"] == 0.1

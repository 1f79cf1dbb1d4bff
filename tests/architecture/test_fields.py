"""What records share: open fields, deep equality, range rules."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from neptune_nas import Attention, Conv, Head, InvertedResidual, Stage, Stem
from neptune_nas.architecture.fields import (
    Open,
    field_names,
    is_closed,
    is_record,
    is_same,
    written_values,
)
from neptune_nas.errors import ArchitectureError
from neptune_nas.space import choice, repeat


@dataclass(frozen=True)
class Own:
    """A user's record."""

    value: Any = 0
    hidden: int = field(default=0, compare=False)
    made: int = field(default=0, init=False)


def test_the_fields_are_those_that_the_constructor_takes() -> None:
    assert field_names(Own) == ("value", "hidden")


def test_a_later_field_is_written_where_it_is_not_its_default() -> None:
    assert written_values(Own()) == {"value": 0, "hidden": 0}
    assert written_values(InvertedResidual(3, 2)) == {"kernel": 3, "expansion": 2}
    assert written_values(InvertedResidual(3, 2, 4))["squeeze"] == 4
    assert repr(InvertedResidual(3, 2)) == "InvertedResidual(kernel=3, expansion=2)"
    assert repr(InvertedResidual(3, 2, 4)) == "InvertedResidual(kernel=3, expansion=2, squeeze=4)"


def test_an_instance_of_a_dataclass_is_a_record_and_its_class_is_not() -> None:
    assert is_record(Own())
    assert not is_record(Own)
    assert not is_record(3)


@pytest.mark.parametrize(
    "value",
    [Open(), choice(1, 2), (1, (choice(1, 2),)), Own((Own(choice(1, 2)),)), repeat(1, 1, 1)],
)
def test_a_value_with_an_open_field_at_any_depth_is_not_closed(value: object) -> None:
    assert not is_closed(value)


@pytest.mark.parametrize("value", [1, "a", None, (1, ()), Own((Own(),)), [choice(1, 2)]])
def test_a_value_without_an_open_field_is_closed(value: object) -> None:
    assert is_closed(value)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, True),
        (1, 1.0),
        ((1,), (True,)),
        ((1,), (1, 1)),
        (Own(1), Own(True)),
        (Own(1), Conv(1)),
        (Own(0, 1), Own(0, 2)),
        (Own((1, Own(2))), Own((1, Own(2.0)))),
    ],
)
def test_values_of_different_types_or_fields_are_not_the_same(a: object, b: object) -> None:
    assert not is_same(a, b)


def test_equal_values_are_the_same() -> None:
    assert is_same(Own((1, Own(2.0), frozenset({3}))), Own((1, Own(2.0), frozenset({3}))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Conv(kernel=4),
            r"`Conv\.kernel` must be an odd whole number of at least 1, but got 4",
        ),
        (
            lambda: Conv(kernel=-1),
            r"`Conv\.kernel` must be an odd whole number of at least 1, but got -1",
        ),
        (
            lambda: Conv(groups=0),
            r"`Conv\.groups` must be a whole number of at least 1 or 'depthwise', but got 0",
        ),
        (lambda: Attention(heads=True), r"`Attention\.heads` .* of at least 1, but got True"),
        (lambda: Stem(width=1.5), r"`Stem\.width` must be a whole .*, but got 1\.5"),  # type: ignore[arg-type]  # that is the mistake
        (lambda: Stage(pool="min"), r"`Stage\.pool` must be one of max, .* but got 'min'"),  # type: ignore[arg-type]  # that is the mistake
        (lambda: Head(width=-1), r"`Head\.width` must be a whole number of at least 0, but got -1"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_field(make: Any, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        make()


def test_open_fields_are_not_checked() -> None:
    stage = Stage(width=choice(0, 8), pool=choice("max", "avg"), substages=(Conv(choice(2, 3)),))

    assert not is_closed(stage)

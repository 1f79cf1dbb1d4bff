import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import ArchitectureError, DataError, FileFormatError, OptionError
from neptune_nas.files.rules import LARGEST, Count, Positive, Share, Size, at_least
from neptune_nas.files.schema import (
    check,
    check_exclusive,
    check_value,
    cut,
    decode,
    encode,
    located,
)
from neptune_nas.search.config import Search
from tests.study.fakes import Arithmetic


class Later:
    """What stands for a value that is chosen later."""


@dataclass(frozen=True)
class Asked:
    """Options of some command."""

    size: Positive | None = None
    other: float | None = None
    sides: tuple[Size, ...] = ()

    def __post_init__(self) -> None:
        check(self, let_through=Later)


@dataclass(frozen=True)
class Lace:
    """A part of a shoe."""

    length: float
    color: str | None = None


@dataclass(frozen=True)
class Shoe:
    """A record of records."""

    size: Size
    name: str
    laces: tuple[Lace, ...] = ()
    wear: dict[str, Share] = field(default_factory=dict)
    spare: Lace | None = None

    def __post_init__(self) -> None:
        if self.name == "odd":
            raise OptionError("`name` is taken.")


@pytest.mark.parametrize("size", [0, -1.5, nan, "3", True])
def test_a_record_refuses_a_field_that_breaks_its_rule(size: Any) -> None:
    with pytest.raises(OptionError, match=f"`size` must be a number above 0, but got {size!r}"):
        Asked(size)


def test_what_is_not_given_keeps_every_rule() -> None:
    assert Asked().size is None


def test_the_error_and_the_place_are_the_callers() -> None:
    asked = Asked()
    object.__setattr__(asked, "size", -1)
    with pytest.raises(ArchitectureError, match=r"`Asked\.size` must be a number above 0"):
        check(asked, ArchitectureError, "Asked")


@pytest.mark.parametrize("sides", [Later(), (1, Later()), ((Later(),),)])
def test_what_is_chosen_later_is_let_through(sides: Any) -> None:
    assert Asked(sides=sides).sides is sides
    with pytest.raises(OptionError, match="`sides` must be a tuple of whole numbers"):
        check(Asked(sides=sides))


def test_a_single_value_is_checked_alike() -> None:
    check_value(3, Size, "--top")
    with pytest.raises(
        OptionError, match="`--top` must be a whole number of at least 1, but got 0"
    ):
        check_value(0, Size, "--top")


def test_two_options_that_exclude_each_other_are_refused_only_together() -> None:
    check_exclusive(Asked(1), [("size", "other")])
    check_exclusive(Asked(), [("size", "other")])
    with pytest.raises(OptionError, match="`size` and `other` exclude each other"):
        check_exclusive(Asked(1, 2), [("size", "other")])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("objectives", "accuracy,flops", r": write \('accuracy', 'flops'\)\."),
        ("trials", np.int64(5), r"but got np\.int64\(5\): write 5\."),
        ("space", Path("a.py"), r": write 'a\.py'\."),
        ("trials", "3", r"`trials` must be a whole number of at least 1, but got '3': write 3\.$"),
        ("trials", None, r"`trials` must be a whole number of at least 1, but got None\.$"),
        ("trials", True, "`trials` must be a whole number of at least 1, but got True"),
        ("seed", "x", "`seed` must be a whole number, but got 'x'"),
        ("jobs", 1.5, "`jobs` must be a whole number of at least 1, but got 1.5"),
        ("timeout", "5", r"`timeout` must be a number above 0, but got '5': write 5\.$"),
        ("timeout", "5m", r"`timeout` must be a number above 0, but got '5m'\.$"),
        ("rungs", 1, r"`rungs` must be a tuple of whole numbers, but got 1: write \(1,\)"),
        ("rungs", "1,3", r"but got '1,3': write \(1, 3\)"),
        ("rungs", np.array([1, 3]), r"but got array\(\[1, 3\]\): write \[1, 3\]"),
        ("rungs", [1, "3"], r"`rungs` must be a tuple of whole numbers, but got \[1, '3'\]\.$"),
        ("gpus", 0, r"`gpus` must be a tuple of whole numbers, but got 0: write \(0,\)"),
        ("objectives", "accuracy", r"must be a tuple of strings, .* write \('accuracy',\)"),
        (
            "sampler",
            Arithmetic,
            r'`sampler` must be a string, .*: name it as text, "tpe" or "FILE.py:Cl',
        ),
        ("sampler", Arithmetic(), r"with its arguments as `sampler_kwargs`\.$"),
        ("sampler_kwargs", [1], r"`sampler_kwargs` must be a dict of values, but got \[1\]"),
        ("recipe", {"lr": 1.0}, "`recipe` must be a Recipe, but got {'lr': 1.0}"),
        ("space", 3, "`space` must be a string or a Space, but got 3"),
        ("out", 3, "`out` must be a string or a Path, but got 3"),
        ("evaluator", "synflow", "`evaluator` must be an Evaluator, but got 'synflow'"),
        (
            "evaluator",
            Arithmetic,
            r"`evaluator` must be an Evaluator, .*write Arithmetic\(\.\.\.\)",
        ),
    ],
)
def test_a_search_says_what_was_meant(field: str, value: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Search(**{"space": "tiny", field: value})


def test_every_field_of_a_search_may_be_of_its_type() -> None:
    asked: dict[str, Any] = {"data_dir": Path("there"), "timeout": 5, "evaluator": Arithmetic()}
    search = Search("tiny", rungs=(1, 3), sampler_kwargs={"n": 1}, **asked)
    assert search.timeout == 5


@pytest.mark.parametrize(
    "value",
    [10**5000, [[[[[[[[[]]]]]]]]], "x" * 1000, np.zeros((9, 9))],
    ids=("digits", "deep", "long", "array"),
)
def test_a_value_of_any_size_is_cut_to_a_line(value: object) -> None:
    assert len(cut(value)) <= 100
    assert "\n" not in cut(value)


def test_a_value_of_any_depth_is_cut_to_a_line() -> None:
    deep = json.loads("[" * 500 + "]" * 500)
    with pytest.raises(FileFormatError, match=r"^`name` must be a string, but got .{1,80}$"):
        decode(Shoe, {"size": 1, "name": deep})


SHOES = st.builds(
    Shoe,
    st.integers(1, LARGEST),
    st.text().filter(lambda name: name != "odd"),
    st.lists(st.builds(Lace, st.floats(allow_nan=False), st.none() | st.text())).map(tuple),
    st.dictionaries(st.text(), st.floats(0, 1)),
    st.none() | st.builds(Lace, st.floats(allow_nan=False)),
)


@given(SHOES)
def test_a_record_survives_json(shoe: Shoe) -> None:
    assert decode(Shoe, json.loads(json.dumps(encode(shoe)))) == shoe


def test_a_whole_number_becomes_a_float_where_that_is_asked_for() -> None:
    lace = decode(Lace, {"length": 3})
    assert (lace.length, type(lace.length)) == (3.0, float)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"`box` must be an object, but got \[\]"),
        ({"size": 1, "nam": ""}, r"`box\.nam` is unknown: did you mean 'name'\?"),
        ({"size": 1}, r"`box\.name` is missing"),
        ({"size": 0, "name": ""}, r"`box\.size` must be a whole number of at least 1, but got 0"),
        ({"size": 1, "name": [[[[[[[[]]]]]]]]}, r"`box\.name` must be a string, but got \["),
        ({"size": 1, "name": "", "laces": 3}, r"`box\.laces` must be a list of objects, but got 3"),
        (
            {"size": 1, "name": "", "laces": [{"length": 1}, {"length": "1"}]},
            r"`box\.laces\.1\.length` must be a number, but got '1'",
        ),
        ({"size": 1, "name": "", "spare": 3}, r"`box\.spare` must be an object, but got 3"),
        ({"size": 1, "name": "", "spare": {}}, r"`box\.spare\.length` is missing"),
        (
            {"size": 1, "name": "", "wear": {"heel": 2}},
            r"`box\.wear\.heel` must be a number in 0\.\.1, but got 2",
        ),
        ({"size": 1, "name": "odd"}, r"`box`: `name` is taken\."),
    ],
)
def test_the_first_field_that_is_wrong_is_named(data: object, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        decode(Shoe, data, "box")


def test_what_has_a_form_of_its_own_is_read_by_its_reader() -> None:
    def lace(data: Sequence[float], path: str) -> Lace:
        return Lace(data[0], path)

    data = {"size": 1, "name": "", "laces": [[3.0]], "spare": [2.0]}
    shoe = decode(Shoe, data, readers={Lace: lace})
    assert (shoe.laces, shoe.spare) == ((Lace(3.0, "laces.0"),), Lace(2.0, "spare"))


def test_any_of_several_types_is_read() -> None:
    @dataclass(frozen=True)
    class Box:
        room: Count | tuple[Annotated[int, at_least(2)], ...]

    assert decode(Box, {"room": 0}).room == 0
    assert decode(Box, {"room": [2]}).room == (2,)
    with pytest.raises(FileFormatError, match=r"`room\.0` must be a whole number of at least 2"):
        decode(Box, {"room": [1]})
    with pytest.raises(
        FileFormatError, match=r"at least 0 or a list of whole numbers .*, but got '"
    ):
        decode(Box, {"room": "1"})


def test_what_is_wrong_inside_is_said_with_its_place() -> None:
    with pytest.raises(DataError, match=r"^data 'x': no JSON$"), located("data 'x'", DataError):
        raise FileFormatError("no JSON")


def test_a_size_beyond_the_largest_is_refused_with_that() -> None:
    with pytest.raises(OptionError, match=r"a whole number of at least 1 and at most 2147483647, "):
        check_value(2**63, Size, "width")

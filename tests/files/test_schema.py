import json
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import FileFormatError
from neptune_nas.files.schema import (
    COUNT,
    NUMBER,
    OBJECT,
    SHAPE,
    SIZE,
    TEXT,
    Rule,
    check_document,
    check_fields,
    parse,
)

RULES = {"size": SIZE, "name": TEXT}


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (COUNT, [0, 1, 10**400], [-1, True, 1.0, "1", None, inf]),
        (SIZE, [1, 2], [0, True]),
        (NUMBER, [0, -1.5, 1e300], [True, inf, -inf, nan, 10**400, "1", None]),
        (NUMBER.or_null, [0, None], [inf, "1"]),
        (SHAPE, [[1, 2, 3]], [[1, 2], [0, 1, 1], [1.5, 8, 8], [True, 1, 1], "123", None]),
        (OBJECT, [{}], [[], None]),
    ],
)
def test_a_rule_holds_for_what_its_words_say(rule: Rule, good: list[Any], bad: list[Any]) -> None:
    assert all(map(rule.holds, good))
    assert not any(map(rule.holds, bad))


@given(st.integers(1), st.text())
def test_an_object_that_keeps_the_rules_comes_back_as_it_is(size: int, name: str) -> None:
    data = {"size": size, "name": name}
    assert check_fields(data, RULES) is data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"`box` must be an object, but got \[\]"),
        ({"size": 1, "nam": ""}, r"`box\.nam` is unknown: did you mean 'name'\?"),
        ({"size": 1}, r"`box\.name` is missing"),
        ({"size": 0, "name": ""}, r"`box\.size` must be a whole number of at least 1, but got 0"),
        ({"size": 1, "name": [[[[[[[[]]]]]]]]}, r"`box\.name` must be a string, but got \["),
    ],
)
def test_the_first_field_that_is_wrong_is_named(data: object, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        check_fields(data, RULES, "box.")


def test_a_field_that_is_not_needed_may_be_left_out() -> None:
    assert check_fields({"size": 2}, RULES, needed=("size",)) == {"size": 2}


def test_a_value_of_any_depth_is_quoted_in_short() -> None:
    deep = json.loads("[" * 500 + "]" * 500)
    with pytest.raises(FileFormatError, match=r"^`name` must be a string, but got .{1,80}$"):
        check_fields({"name": deep}, {"name": TEXT})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"it is no JSON \(line 1: .*\): export it again"),
        ("1" * 5000, "more digits than can be read"),
        pytest.param("[" * 100_000, "nested too deeply", id="deep"),
    ],
)
def test_a_text_that_is_no_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        parse(text)


DOCUMENT = {"format": "shoe", "version": 2, "size": 1}
DOCUMENT_RULES = {"format": TEXT, "version": SIZE, "size": SIZE}


def test_a_document_of_the_format_and_version_comes_back_as_it_is() -> None:
    assert check_document(DOCUMENT, "shoe", 2, DOCUMENT_RULES) is DOCUMENT


def test_a_document_may_lack_what_is_not_needed() -> None:
    rules = {**DOCUMENT_RULES, "color": TEXT}
    assert check_document(DOCUMENT, "shoe", 2, rules, needed=DOCUMENT) is DOCUMENT
    with pytest.raises(FileFormatError, match="`color` is missing"):
        check_document(DOCUMENT, "shoe", 2, rules)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "`format` must be 'shoe', but got 'list'"),
        ({**DOCUMENT, "format": "hat"}, "`format` must be 'shoe', but got 'hat'"),
        ({**DOCUMENT, "version": 3}, "`version` must be 2, but got 3: it was written by another"),
        ({**DOCUMENT, "version": 2.0}, r"`version` must be 2, but got 2\.0"),
        ({**DOCUMENT, "size": 0}, "`size` must be a whole number of at least 1"),
    ],
)
def test_another_document_is_refused(data: object, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        check_document(data, "shoe", 2, DOCUMENT_RULES)

"""Texts of JSON and TOML that are refused, and documents of other formats and versions."""

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.files.documents import parse_json, parse_toml, versioned


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"it is not valid JSON \(line 1: "),
        ("1" * 5000, "more digits than can be read"),
        pytest.param("[" * 100_000, "nested too deeply", id="deep"),
        ('{"a": 1, "b": 2, "a": 1}', "'a' is in one object twice: leave one of them out"),
        ('[{"a": {"": 1, "": 2}}]', "'' is in one object twice"),
        ('{"a": {"a": 1}, "\\u0061": 1}', "'a' is in one object twice"),
    ],
)
def test_a_text_that_is_no_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        parse_json(text)


def test_names_of_several_objects_may_be_equal() -> None:
    assert parse_json('[{"a": {"a": 1}}, {"a": 2}]') == [{"a": {"a": 1}}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", r"it is not valid TOML \(Invalid value"),
        ("a = " + "1" * 5000, "more digits than can be read"),
        pytest.param("a = " + "[" * 10_000, "nested too deeply", id="deep"),
    ],
)
def test_a_text_that_is_no_toml_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        parse_toml(text)


DOCUMENT = {"format": "shoe", "version": 2, "size": 1}


def test_a_document_of_the_format_and_version_is_its_fields() -> None:
    assert versioned(DOCUMENT, 2, "shoe") == {"size": 1}
    assert versioned({"version": 2, "size": 1}, 2) == {"size": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"it must be an object, but got \[\]"),
        ({**DOCUMENT, "format": "hat"}, "`format` must be 'shoe', but got 'hat'"),
        ({**DOCUMENT, "version": 3}, "`version` must be 2, but got 3: it was written by another"),
        ({**DOCUMENT, "version": 2.0}, r"`version` must be 2, but got 2\.0"),
    ],
)
def test_another_document_is_refused(data: object, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        versioned(data, 2, "shoe")


def test_a_text_of_more_than_can_be_held_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(FileFormatError, match="it may have 3 characters of JSON, but has 4"):
        parse_json("[[]]", 3)

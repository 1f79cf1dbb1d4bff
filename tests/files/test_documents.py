"""Texts of JSON and TOML that are refused, and documents of other formats and versions."""

from collections.abc import Callable
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.files.documents import parse_json, parse_toml, versioned
from neptune_nas.retrain.terms import Terms
from neptune_nas.study.folder import read_settings, read_toml
from neptune_nas.training.recipe_file import read_recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"it is not valid JSON \(line 1: "),
        ("1" * 5000, "more digits than can be read"),
        pytest.param("[" * 100_000, "nested too deeply", id="deep"),
        ('{"a": 1, "b": 2, "a": 1}', "'a' occurs twice in one object: remove one of them"),
        ('[{"a": {"": 1, "": 2}}]', "'' occurs twice in one object"),
        ('{"a": {"a": 1}, "\\u0061": 1}', "'a' occurs twice in one object"),
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
        pytest.param("a." * 40_000 + "a = 1", "has a key of more than 32 parts", id="dotted"),
        pytest.param("[x]\n" + " a . " * 32 + "a = 1", "more than 32 parts", id="spaced"),
        pytest.param("x = {" + '"=".' * 32 + "a = 1}", "more than 32 parts", id="quoted"),
        pytest.param(f"[{'a.' * 20}'b'.{'a.' * 20}c]", "more than 32 parts", id="table"),
        pytest.param("a = 1" + "\n" * 2**20, "at most 1,048,576 characters of TOML", id="long"),
    ],
)
def test_a_text_that_is_no_toml_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        parse_toml(text)


def test_dots_outside_of_keys_are_no_parts() -> None:
    text = f"a{'.b' * 31} = 1\nc = {'.' * 5_000!r}\nd = [{'0.5, ' * 500}]"
    assert parse_toml(text)["d"] == [0.5] * 500


def test_a_date_is_named_by_its_path() -> None:
    with pytest.raises(FileFormatError, match=r"`a\.b\.1\.c` must be a string"):
        parse_toml("a.b = [1, {c = 1979-05-27}]")


TOML: dict[str, Callable[[Path], object]] = {
    "study.toml": read_settings,
    "recipe.toml": read_recipe,
    "train.toml": lambda file: read_toml(file, Terms),
}
"""The readers of TOML, by the name of a file that they read."""


@pytest.mark.parametrize("name", TOML)
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty, so|must hold the fields of a recipe"),
        (b"lr =", r"it is not valid TOML \("),
        (b"lr = 1\nlr = 2", r"it is not valid TOML \("),
        (b"[recipe]\n[recipe]", r"it is not valid TOML \("),
        (b"recipe.lr = 1\nrecipe = 2", r"it is not valid TOML \("),
        (b"a = '\x00'", r"it is not valid TOML \("),
        (b"a = '\x1b[31m'", r"it is not valid TOML \("),
        (b'a = "\\ud800"', r"it is not valid TOML \("),
        (b"a = '\xe9'", "is not a text file: byte 5 is not UTF-8"),
        ("lr = 1".encode("utf-16"), "is not a text file: byte 0 is not UTF-8"),
        pytest.param(b"a = " + b"[" * 10_000, "nested too deeply", id="deep"),
        pytest.param(b"lr = " + b"9" * 5000, "more digits than can be read", id="digits"),
        pytest.param(b"#" * (2**25 + 1), "is too large: it must have at most 32 MiB", id="large"),
        (b"lr = 2026-01-01", r"`lr` must be a string, .*: put a date or time in quotes"),
        (b"version = 07:32:00", r"`version` must be a string, .* in quotes"),
        (b"a.b = [1, {c = 2026-01-01T00:00:00Z}]", r"`a\.b\.1\.c` must be a string, .* in quotes"),
        (b"[question.recipe]\nx = 2026-01-01 10:00:00", r"`question\.recipe\.x` must be a string"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_by_every_reader(
    name: str, data: bytes, says: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(FileFormatError, match=says) as error:
        TOML[name](file)
    assert str(error.value).count(str(file)) == 1
    assert str(error.value).isprintable()


@pytest.mark.parametrize("name", TOML)
@pytest.mark.parametrize("field", ["\\u001b[31m", "\\u202e", "a\\nb", "", "x" * 5000])
def test_a_field_of_toml_that_is_unknown_is_named_in_a_line(
    name: str, field: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    top = f'"{field}" = 1\n'
    file.write_text(top if name == "recipe.toml" else f"version = 1\n{top}")
    with pytest.raises(FileFormatError, match="is unknown: ") as error:
        TOML[name](file)
    assert len(str(error.value)) < 1000


def test_a_file_of_toml_may_begin_with_a_mark_and_have_the_line_ends_of_other_systems(
    tmp_path: Path,
) -> None:
    file = tmp_path / "recipe.toml"
    recipes = []
    for data in (b"lr = 0.1\nwarmup = 0.5\n", b"\xef\xbb\xbflr = 0.1\r\nwarmup = 0.5\r\n"):
        file.write_bytes(data)
        recipes.append(read_recipe(file))
    assert recipes[0] == recipes[1]
    assert (recipes[0].lr, recipes[0].warmup) == (0.1, 0.5)


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
    with pytest.raises(
        FileFormatError, match="it must have at most 3 characters of JSON, but has 4"
    ):
        parse_json("[[]]", 3)

"""Messages about unknown names."""

import pytest

from neptune_nas.errors import (
    ArchitectureError,
    DataError,
    FileFormatError,
    NeptuneError,
    OptionError,
    SpaceError,
    StudyError,
    first_line,
    one_of,
)


def test_an_unknown_name_gets_the_nearest_and_all_known_ones() -> None:
    assert (
        one_of(["b", "default", "a"], "defualt") == "did you mean 'default'? Known: a, b, default."
    )


def test_of_a_long_message_the_first_line_is_taken_and_of_none_its_kind() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"


def test_a_name_like_none_gets_all_known_ones() -> None:
    assert one_of(("b", "a"), "xyz") == "Known: a, b."


@pytest.mark.parametrize(
    "kind",
    [ArchitectureError, SpaceError, DataError, StudyError, FileFormatError, OptionError],
)
def test_every_kind_is_one_that_is_shown_without_a_traceback(kind: type) -> None:
    assert issubclass(kind, NeptuneError)

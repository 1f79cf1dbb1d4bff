from dataclasses import dataclass

import pytest

from neptune_nas.errors import OptionError
from neptune_nas.files.options import check_exclusive, check_positive


@dataclass(frozen=True)
class Asked:
    """Options of some command."""

    size: float | None = None
    other: float | None = None


@pytest.mark.parametrize("size", [0, -1.5, float("nan")])
def test_a_number_that_is_not_positive_is_refused(size: float) -> None:
    with pytest.raises(OptionError, match=f"`size` must be greater than 0, but got {size}"):
        check_positive(Asked(size), ("size", "other"))


def test_two_options_that_exclude_each_other_are_refused_only_together() -> None:
    check_exclusive(Asked(1), [("size", "other")])
    with pytest.raises(OptionError, match="`size` and `other` exclude each other"):
        check_exclusive(Asked(1, 2), [("size", "other")])


def test_what_is_not_given_keeps_every_rule() -> None:
    check_positive(Asked(), ("size", "other"))
    check_exclusive(Asked(), [("size", "other")])

"""A few hundred changed inputs; `python -m benchmarks.fuzz` tries thousands."""

import pytest

from tests.fuzzing.oracle import RIGHT, Kind, Verdict
from tests.fuzzing.readers import READERS
from tests.fuzzing.runner import judge_elsewhere

pytestmark = pytest.mark.xdist_group("fuzzing")  # all cases are judged in one process

CASES = 300


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return judge_elsewhere(READERS, CASES)


@pytest.mark.parametrize("reader", READERS)
def test_a_changed_input_is_read_right_or_refused_in_a_sentence(
    reader: str, verdicts: list[Verdict]
) -> None:
    found = [each for each in verdicts if each.reader == reader]
    assert len(found) >= CASES // len(READERS)
    assert [each for each in found if each.kind not in RIGHT] == []
    assert {each.kind for each in found} == {Kind.ACCEPTED, Kind.REFUSED}

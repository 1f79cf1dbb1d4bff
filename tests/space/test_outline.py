"""The outline and the fingerprint tell spaces apart, and nothing else does."""

import subprocess
import sys
from typing import Any

from hypothesis import given

from neptune_nas import Conv, InvertedResidual
from neptune_nas.space import Space, choice, find_space, integer, repeat, tie, where
from tests.space.templates import Leaf, Pair, spaces


@given(spaces(), spaces())
def test_spaces_of_different_architectures_have_different_fingerprints(
    ours: Space[Any], theirs: Space[Any]
) -> None:
    if [repr(value) for value in ours] != [repr(value) for value in theirs]:
        assert ours.fingerprint != theirs.fingerprint


def test_an_outline_has_a_line_for_every_part() -> None:
    template = Pair(
        repeat(choice(Conv(kernel=choice(3, 5)), None), 1, 2, shared=True),
        where(Leaf(tie("w", integer(8, 16, 4))), lambda leaf: leaf.a > 8),
    )

    lines = dict(Space("s", template).outline)
    rule = lines.pop("second?")

    assert rule.startswith("a rule on a keeps 2 of 3 (")
    assert lines == {
        "": "Pair",
        "first": "1 to 2 of, all alike",
        "first.*": "Conv | None",
        "first.*[0]": "Conv",
        "first.*[0].kernel": "3 | 5",
        "first.*[0].groups": "1",
        "second": "Leaf",
        "second.a": "as ~w",
        "~w": "8 to 16 in steps of 4",
    }


def test_a_later_field_has_a_line_where_it_is_not_its_default() -> None:
    def lines(squeeze: int) -> dict[str, str]:
        return dict(Space("s", InvertedResidual(choice(3, 5), squeeze=squeeze)).outline)

    assert [*lines(0)] == ["", "kernel", "expansion"]
    assert lines(4)["squeeze"] == "4"
    assert lines(choice(0, 4))["squeeze"] == "0 | 4"


def test_a_rule_counts_for_what_it_keeps_not_for_how_it_is_written() -> None:
    def fingerprint(rule: Any) -> str:
        return Space("s", where(Leaf(integer(0, 9)), rule)).fingerprint

    assert fingerprint(lambda leaf: leaf.a > 4) == fingerprint(lambda other: other.a >= 5)
    assert fingerprint(lambda leaf: leaf.a > 4) != fingerprint(lambda leaf: leaf.a <= 4)


def test_a_global_rule_on_a_large_space_counts_by_its_source() -> None:
    template = repeat(integer(0, 9), 9, 9)
    even = Space("s", template, where=lambda value: value[0] % 2 == 0)

    assert "value[0] % 2 == 0" in even.outline["?"]
    assert even.fingerprint != Space("s", template, where=lambda value: value[0] == 0).fingerprint
    assert Space("s", template, where=all).outline["?"] == "a rule all"


def test_the_fingerprint_and_the_numbering_are_the_same_in_every_process() -> None:
    code = (
        "from neptune_nas.space import find_space; s = find_space('attention');"
        "print(s.fingerprint, s[s.size // 3])"
    )
    space = find_space("attention")

    for seed in ("1", "2"):
        said = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert said == f"{space.fingerprint} {space[space.size // 3]}\n"

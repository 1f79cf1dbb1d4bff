"""The records of an architecture and what they refuse together."""

from math import nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    Stage,
    SubStage,
    resolve_connections,
)
from neptune_nas.errors import ArchitectureError
from neptune_nas.space import choice


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Stage(width=6, substages=(Conv(), Attention(heads=4))),
            r"`substages\.1` \(Attention\(heads=4.*heads must divide .* 4 does not divide 6",
        ),
        (
            lambda: Stage(width=6, substages=(Conv(groups=4),)),
            r"`substages\.0` .*groups must divide the width of its Stage, but 4 does not divide 6",
        ),
        (
            lambda: Stage(entry=FeedForward()),
            r"`Stage\.entry` must be a Conv, .* among `substages`",
        ),
        (
            lambda: Stage(substages=(Conv(),), connections=((0,), (1,))),
            r"`Stage\.connections` needs one tuple a SubStage \(1\), but got 2",
        ),
        (
            lambda: Head(dropout=1.0),
            r"`Head\.dropout` must be a number of at least 0 and below 1, but got 1\.0",
        ),
        (lambda: Stage(entry=5), r"`Stage\.entry` must be a record such as .*, but got 5\."),
        (lambda: Stage(entry=Conv), r"`Stage\.entry` must be .*: write Conv\(\.\.\.\)\."),
        (lambda: Stage(substages=(Conv(), "x" * 5000)), r"`Stage\.substages\.1` must be a record"),
        (lambda: Stage(substages=(nan,)), r"`Stage\.substages\.0` must be .*, but got nan"),
        (
            lambda: Stage(width=2**63),
            "`Stage.width` must be a whole number of at least 1 and at most",
        ),
        (lambda: Attention(window=10**5000), "`Attention.window` .* got a number of 5000 digits"),
        (
            lambda: Conv(kernel=np.int64(3)),  # type: ignore[arg-type]  # wrong on purpose
            r"`Conv\.kernel` must be .* got np\.int64\(3\): write 3",
        ),
        (lambda: Architecture(stages=()), r"`Architecture\.stages` needs at least one Stage"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        make()


@pytest.mark.parametrize("sources", [(), (1,), (0, 0), (-1,)])
def test_connections_to_anything_but_earlier_outputs_are_refused(sources: Any) -> None:
    with pytest.raises(
        ArchitectureError, match=r"`Stage\.connections\[0\]` needs rising, distinct"
    ):
        Stage(substages=(Conv(),), connections=(sources,))


def test_a_template_is_checked_once_it_is_closed() -> None:
    assert Stage(width=choice(6, 8), substages=(Attention(heads=4),)).substages[0].heads == 4


@given(st.integers(0, 12), st.sampled_from(["chain", "residual", "sparse", "dense"]))
def test_every_wiring_reads_earlier_outputs_the_last_among_them(count: int, wiring: Any) -> None:
    sources = resolve_connections(Stage(substages=(Conv(),) * count, connections=wiring))

    assert len(sources) == count
    for i, read in enumerate(sources):
        assert list(read) == sorted({*read})
        assert read[-1] == i


def test_dense_reads_all_and_sparse_those_powers_of_two_back() -> None:
    convs = (Conv(),) * 5

    assert resolve_connections(Stage(substages=convs, connections="dense"))[4] == (0, 1, 2, 3, 4)
    assert resolve_connections(Stage(substages=convs, connections="sparse"))[4] == (1, 3, 4)


def test_explicit_connections_are_read_as_they_are() -> None:
    wiring = ((0,), (0, 1))

    assert resolve_connections(Stage(substages=(Conv(), Conv()), connections=wiring)) == wiring


def test_a_record_that_builds_is_a_substage() -> None:
    class Builds:
        def build(self, width: int) -> int:
            return width

    assert isinstance(Builds(), SubStage)
    assert not isinstance(Conv(), SubStage)

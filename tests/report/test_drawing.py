import pytest

from neptune_nas.architecture.records import Architecture, Attention, Conv, Head, Stage, Stem
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.counted import CostModel
from neptune_nas.report.drawing import rows, shares
from tests.report.fixtures import MODEL, make_results

NET = Architecture(
    stem=Stem(8, stride=2),
    stages=(
        Stage(16, substages=(Conv(3), Attention(2), Conv(5)), connections="dense"),
        Stage(24, pool="none", substages=(Conv(3),)),
    ),
    head=Head(width=32),
)


def test_rows_carry_the_shape_that_each_part_puts_out() -> None:
    found = rows(NET, CostModel((3, 16, 16), 10))
    assert [(row.kind, row.shape) for row in found] == [
        ("image", (3, 16, 16)),
        ("stem", (8, 8, 8)),
        ("entry", (16, 4, 4)),
        ("substage", (16, 4, 4)),
        ("substage", (16, 4, 4)),
        ("substage", (16, 4, 4)),
        ("entry", (24, 4, 4)),
        ("substage", (24, 4, 4)),
        ("head", (10, 1, 1)),
    ]


def test_rows_say_how_far_up_each_substage_reads() -> None:
    found = rows(NET, CostModel((3, 16, 16), 10))
    assert [row.reads for row in found[3:6]] == [(1,), (2, 1), (3, 2, 1)]
    assert [row.shortcut for row in found] == [False] * 7 + [True, False]


def test_the_costs_of_all_rows_are_the_cost_of_the_network() -> None:
    for trial in make_results(5).trials:
        found = rows(trial.architecture, MODEL)
        assert sum(row.cost.macs for row in found) == trial.values["macs"]
        assert sum(row.cost.params for row in found) == trial.values["params"]


def test_shares_are_percents_of_all_macs() -> None:
    found = rows(NET, CostModel((3, 16, 16), 10))
    assert abs(sum(shares(found)) - 100) <= len(found) / 2
    assert shares(found)[0] == 0


def test_uncounted_rows_cost_nothing_but_keep_their_shape() -> None:
    model = CostModel((3, 16, 16), 10)
    found = rows(NET, model, counted=False)
    assert model.known == {}
    assert [row.shape for row in found] == [row.shape for row in rows(NET, model)]


def test_an_image_too_small_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="needs images of at least"):
        rows(NET, CostModel((3, 2, 2), 10))

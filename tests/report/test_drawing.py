import io

import pytest
from rich.console import Console

from neptune_nas.architecture.codec import from_json, to_json
from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    Head,
    Network,
    Stage,
    Stem,
)
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.counted import Cost, CostModel
from neptune_nas.report.drawing import draw_text, rows, shares
from tests.nn.plain import Plain
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


def printed(architecture: Architecture | Network) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(draw_text(architecture, MODEL))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_terminal_shows_a_line_a_part_with_its_costs() -> None:
    stage = Stage(24, norm="batch", substages=(Conv(5), Attention(4)))
    text = printed(Architecture(stages=(stage,)))
    lines = [line.split() for line in text.splitlines()]
    assert [line[0] for line in lines[1:4]] == ["image", "stem", "stage"]
    assert "conv 5x5" in text
    assert "230k" in text  # 24 x 24 x 25 filters at 4 x 4 places
    assert "+ shortcut" in text
    assert lines[-1][0] == "head"


def test_dense_wiring_says_which_rows_are_read() -> None:
    substages = (Conv(), Conv())
    text = printed(Architecture(stages=(Stage(8, connections="dense", substages=substages),)))
    assert "-1 -2" in text
    assert "shortcut" not in text


def test_a_network_whose_parts_are_not_known_is_drawn_as_its_fields() -> None:
    model = CostModel((3, 16, 16), 10)
    found = rows(Plain(8, 3), model)
    assert [(row.kind, row.label) for row in found] == [
        ("image", "image"),
        ("network", "Plain"),
        ("field", "width 8"),
        ("field", "depth 3"),
    ]
    assert [row.cost for row in found[1:]] == [
        model.cost(Plain(8, 3)),
        Cost(0, 0, 0),
        Cost(0, 0, 0),
    ]
    assert found[1].shape == (10, 1, 1)


def test_a_network_whose_parts_are_not_known_has_a_line_a_field() -> None:
    lines = [line.split() for line in printed(Plain(8, 3)).splitlines()]
    assert [line[:2] for line in lines[1:]] == [
        ["image", "1"],
        ["network", "Plain"],
        ["width", "8"],
        ["depth", "3"],
    ]


def test_records_of_unknown_class_are_drawn_without_costs() -> None:
    part = {"type": "shop:Scale", "size": 3}
    data = to_json(Architecture(stages=(Stage(8, substages=(Conv(), Conv())),)))
    data["stages"][0]["substages"][1] = data["stages"][0]["entry"] = part
    text = printed(from_json(data))
    assert text.count("Scale, size 3") == 2
    assert "conv 3x3" in text
    assert "%" not in text

    lines = [line.split() for line in printed(from_json(part | {"part": part})).splitlines()]
    assert [line[:2] for line in lines[1:]] == [
        ["image", "1"],
        ["network", "Scale"],
        ["size", "3"],
        ["part", "Scale"],
        ["part.size", "3"],
    ]

import io

from rich.console import Console

from neptune_nas.architecture.records import Architecture, Attention, Conv, Network, Stage
from neptune_nas.report.text import draw_text
from tests.nn.plain import Plain
from tests.report.fixtures import MODEL


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


def test_a_network_whose_parts_are_not_known_has_a_line_a_field() -> None:
    lines = [line.split() for line in printed(Plain(8, 3)).splitlines()]
    assert [line[:2] for line in lines[1:]] == [
        ["image", "1"],
        ["network", "Plain"],
        ["width", "8"],
        ["depth", "3"],
    ]

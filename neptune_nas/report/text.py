"""An architecture in the terminal."""

from rich.table import Table
from rich.text import Text

from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.metrics.counted import CostModel
from neptune_nas.report.drawing import Row, rows, shares
from neptune_nas.report.svg import shape_text
from neptune_nas.text import short

BAR = 12  # characters


def draw_text(architecture: Architecture | Network, model: CostModel) -> Table:
    """Return the drawing of an architecture as a rich table, one line a part.

    A network whose parts are not known has a line a field of its record. Raises
    `ArchitectureError` if the model's images are too small for the architecture.
    """
    found = rows(architecture, model)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("part", "layers", "reads"):
        table.add_column(name, no_wrap=name != "layers")
    for name in (shape_text("CHW"), "MACs", "params"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("share of MACs", no_wrap=True)
    stage = 0
    for row, percent in zip(found, shares(found), strict=True):
        stage += row.kind == "entry"
        table.add_row(*cells(row, percent, stage))
    return table


def cells(row: Row, percent: int, stage: int) -> tuple[Text, ...]:
    """Return one line of the table."""
    if row.kind == "field":
        return Text(""), Text(row.label)
    part = {"entry": f"stage {stage}", "substage": ""}.get(row.kind, row.kind)
    filled = round(BAR * percent / 100)
    share = f"{'━' * filled:<{BAR}} {percent:>3}%"
    return (
        Text(part, style="bold"),
        Text("" if row.kind == "image" else row.label),
        Text(reads_text(row), style="dim"),
        Text(shape_text(row.shape)),
        Text(short(row.cost.macs)),
        Text(short(row.cost.params)),
        Text("" if row.kind == "image" else share, style="cyan"),
    )


def reads_text(row: Row) -> str:
    """Which rows a SubStage reads: how many up, and whether a shortcut goes around it."""
    if row.kind != "substage":
        return ""
    above = "" if row.reads == (1,) else " ".join(f"-{up}" for up in sorted(row.reads))
    return above + "+ shortcut" * row.shortcut

"""The rows of an architecture's drawing, from image to classes, and its terminal form.

The parts of a network built by a user's record are not known; its fields are drawn instead.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from neptune_nas.architecture.description import caption, head_caption
from neptune_nas.architecture.fields import class_name, unknown_records
from neptune_nas.architecture.records import (
    Architecture,
    Network,
    Stage,
    Stem,
    resolve_connections,
)
from neptune_nas.metrics.counted import Cost, CostModel
from neptune_nas.metrics.registry import MACS, PARAMS
from neptune_nas.models.comparison import plain_values
from neptune_nas.nn.builder import (
    DensePlace,
    EntryPart,
    NetworkPart,
    OpaqueNetwork,
    SubStagePlace,
    stage_shape,
)
from neptune_nas.text import short

_Kind = Literal["image", "stem", "entry", "substage", "head", "network", "field"]
_Shape = tuple[int, int, int]

_NOTHING = Cost(0, 0, 0)
_TIMES = "\N{MULTIPLICATION SIGN}"
_BAR = 12  # characters


@dataclass(frozen=True, slots=True)
class DrawingRow:
    """One part of a network with its output shape `(C, H, W)`; or a field of an opaque network.

    `reads`: distance in rows to each of its inputs (1: the row before). `shortcut`: whether its
    input is also added to its output.
    """

    kind: _Kind
    label: str
    shape: _Shape
    cost: Cost
    reads: tuple[int, ...] = (1,)
    shortcut: bool = False


def rows(
    architecture: Architecture | Network, model: CostModel, counted: bool = True
) -> tuple[DrawingRow, ...]:
    """Return the rows of a drawing, the image first; with costs if `counted`.

    Raises `ArchitectureError` if the model's images are too small for the architecture.
    """
    parts = model.parts(architecture)
    image = DrawingRow("image", "image", model.input_shape, _NOTHING, reads=())
    costs = [model.of_part(part) if counted else _NOTHING for part in parts]
    drawn = map(_row_of, parts, costs, [architecture] * len(parts))
    return (image, *drawn, *(row for part in parts for row in _field_rows(part)))


def is_countable(architecture: Architecture | Network) -> bool:
    """Return whether the costs can be counted, as the classes of all parts are known."""
    return not any(unknown_records(architecture))


@cache
def model_for(input_shape: _Shape, classes: int) -> CostModel:
    """Return the cost model for images of this shape, cached across reports."""
    return CostModel(input_shape, classes)


def _row_of(part: NetworkPart, cost: Cost, architecture: Any) -> DrawingRow:
    """Return the row of one part."""
    names = part.name.split(".")
    match part.what:
        case Stem() as stem:
            height, width = (-(-side // stem.stride) for side in part.shape[1:])
            return DrawingRow("stem", _stem_label(stem), (stem.width, height, width), cost)
        case EntryPart() as entry:
            stage = architecture.stages[int(names[1])]
            return DrawingRow("entry", _entry_label(entry), stage_shape(stage, part.shape), cost)
        case SubStagePlace() as place:
            return _substage_row(
                place, architecture.stages[int(names[1])], int(names[3]), part, cost
            )
        case OpaqueNetwork(whole):
            return DrawingRow("network", class_name(whole), (part.outputs, 1, 1), cost)
        case DensePlace(head, maps):
            return DrawingRow("head", head_caption(head), (part.outputs, *maps[-1][1:]), cost)
        case head:
            label = f"1x1 conv to {head.width}, " if head.width else ""
            return DrawingRow("head", f"{label}mean, linear", (part.outputs, 1, 1), cost)


def _field_rows(part: NetworkPart) -> Iterator[DrawingRow]:
    """Yield a row without cost for each field of an opaque network."""
    if isinstance(part.what, OpaqueNetwork):
        for name, value in plain_values(part.what.architecture).items():
            yield DrawingRow("field", f"{name} {value}", (part.outputs, 1, 1), _NOTHING, reads=())


def has_share(row: DrawingRow) -> bool:
    """Return whether a row is one of several parts, and so has a share of the cost."""
    return row.kind not in ("image", "network", "field")


def _substage_row(
    place: SubStagePlace, stage: Stage, index: int, part: NetworkPart, cost: Cost
) -> DrawingRow:
    """Return the row of a SubStage, whose inputs all lie in its own stage."""
    reads = tuple(index + 1 - source for source in resolve_connections(stage)[index])
    shortcut = stage.connections == "residual"
    return DrawingRow("substage", caption(place.substage), part.shape, cost, reads, shortcut)


def _stem_label(stem: Stem) -> str:
    """Return what the stem does."""
    return f"conv {stem.kernel}x{stem.kernel}" + f", stride {stem.stride}" * (stem.stride > 1)


def _entry_label(entry: EntryPart) -> str:
    """Return what a stage does before its SubStages."""
    words = [caption(entry.entry)]
    words += [f"stride {entry.stride}"] * (entry.stride > 1)
    words += [f"{entry.pool} pool"] * (entry.pool != "none")
    words += [f"{entry.norm} norm"] * (entry.norm != "none")
    return ", ".join(words)


def shares(found: tuple[DrawingRow, ...]) -> tuple[int, ...]:
    """Return the share of all MACs of each row, in rounded percent."""
    total = sum(row.cost.macs for row in found) or 1
    return tuple(int(100 * row.cost.macs / total + 0.5) for row in found)


def shape_text(shape: Iterable[object]) -> str:
    """Return the text of a shape: channels, height and width."""
    return f" {_TIMES} ".join(map(str, shape))


def draw_text(architecture: Architecture | Network, model: CostModel) -> Table:
    """Return the drawing of an architecture as a rich table, one line per part.

    A network whose parts are not known has one line per field of its record. One with a record of
    unknown class has no costs.
    Raises `ArchitectureError` if the model's images are too small for the architecture.
    """
    counted = is_countable(architecture)
    found = rows(architecture, model, counted)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("part", "layers", "reads"):
        table.add_column(name, no_wrap=name != "layers")
    for name in (shape_text("CHW"), MACS.title, PARAMS.title):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("share of MACs", no_wrap=True)
    stage = 0
    percents = shares(found) if counted else [None] * len(found)
    for row, percent in zip(found, percents, strict=True):
        stage += row.kind == "entry"
        table.add_row(*_cells(row, percent, stage))
    return table


def _cells(row: DrawingRow, percent: int | None, stage: int) -> tuple[Text, ...]:
    """Return one line of the table; without costs where `percent` is None."""
    if row.kind == "field":
        return Text(""), Text(row.label)
    part = {"entry": f"stage {stage}", "substage": ""}.get(row.kind, row.kind)
    place = (
        Text(part, style="bold"),
        Text("" if row.kind == "image" else row.label),
        Text(_reads_text(row), style="dim"),
        Text(shape_text(row.shape)),
    )
    if percent is None:
        return place
    filled = round(_BAR * percent / 100)
    share = f"{'━' * filled:<{_BAR}} {percent:>3}%"
    return (
        *place,
        Text(short(row.cost.macs)),
        Text(short(row.cost.params)),
        Text("" if row.kind == "image" else share, style="cyan"),
    )


def _reads_text(row: DrawingRow) -> str:
    """Return the inputs of a SubStage as distances in rows, and whether it has a shortcut."""
    if row.kind != "substage":
        return ""
    above = "" if row.reads == (1,) else " ".join(f"-{up}" for up in sorted(row.reads))
    return above + "+ shortcut" * row.shortcut

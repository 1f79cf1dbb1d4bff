"""The SVG of an architecture: stages as boxes, SubStages as rows, connections as lines.

Rows are laid out here, in px from the top; `templates/drawing.svg` has columns and colours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from markupsafe import Markup

from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.metrics.counted import CostModel
from neptune_nas.report.document import fill
from neptune_nas.report.drawing import (
    DrawingRow,
    has_share,
    is_countable,
    rows,
    shape_text,
    shares,
)

_LINE, _HEAD, _GAP = 24, 26, 10
_FOOT = 18  # for what the percentages are of
_LABEL = 36  # characters that fit, in a wide font
_REACH = 28  # of the widest arc, away from the spine


@dataclass(frozen=True, slots=True)
class _Box:
    """The box of a stage, with the shape of the maps inside it."""

    top: int
    height: int
    name: str
    shape: str


@dataclass(frozen=True, slots=True)
class _Wire:
    """A line between two nodes, curved by this much where it passes others."""

    start: int
    end: int
    bow: int
    shortcut: bool = False


@dataclass(frozen=True, slots=True)
class _Node:
    """A row: its label, and either its output shape or its percentage of all MACs.

    A field of an opaque network has neither, and no dot on the spine.
    """

    middle: int
    label: str
    shape: str
    percent: int | None
    dot: bool = True


def draw_svg(
    architecture: Architecture | Network,
    model: CostModel,
    *,
    counted: bool = True,
    standalone: bool = False,
) -> Markup:
    """Return the drawing of an architecture on the model's images.

    It shows each part's share of MACs unless `counted` is false, which is quicker, or the class of
    a record is unknown. In a page it
    takes the colour of the surrounding text; `standalone` adds its own colours, for a file. Raises
    `ArchitectureError` if the images are too small for the architecture.
    """
    counted = counted and is_countable(architecture)
    found = rows(architecture, model, counted)
    percents = shares(found) if counted else None
    tops, height = _layout(found)
    middles = [top + _LINE // 2 for top in tops]
    parts = sum(map(has_share, found))
    context = {
        "name": f"network of {parts} parts" if parts else f"network {found[1].label}",
        "height": height + _FOOT,
        "foot": height + 12,
        "counted": counted and parts > 0,
        "standalone": standalone,
        "most": max(percents or (), default=0) or 1,
        "boxes": list(_boxes(found, tops)),
        "wires": list(_wires(found, middles)),
        "nodes": list(map(_node, found, middles, percents or [None] * len(found))),
    }
    return fill("drawing.svg", context)


def _layout(found: Sequence[DrawingRow]) -> tuple[list[int], int]:
    """Return the top of each row, and the total height."""
    tops: list[int] = []
    y = 0
    for row, following in zip(found, [*found[1:], None], strict=True):
        if row.kind == "entry":
            y += _GAP + _HEAD
        tops.append(y)
        y += _LINE
        if row.kind in ("entry", "substage") and following is not None:
            y += 4 * (following.kind != "substage") + _GAP * (following.kind == "head")
    return tops, y


def _boxes(found: Sequence[DrawingRow], tops: Sequence[int]) -> Iterator[_Box]:
    """Yield the box of each stage, around its entry and its SubStages."""
    entries = (i for i, row in enumerate(found) if row.kind == "entry")
    for stage, i in enumerate(entries, start=1):
        inside = 1 + sum(1 for _ in takewhile(lambda row: row.kind == "substage", found[i + 1 :]))
        height = _HEAD + _LINE * inside + 4
        yield _Box(tops[i] - _HEAD, height, f"Stage {stage}", shape_text(found[i].shape))


def _wires(found: Sequence[DrawingRow], middles: Sequence[int]) -> Iterator[_Wire]:
    """Yield the lines from the rows that each row reads, and the shortcut around it."""
    for i, row in enumerate(found):
        for up in row.reads:
            yield _Wire(middles[i - up], middles[i], 0 if up == 1 else min(6 + 6 * up, _REACH))
        if row.shortcut:
            yield _Wire(middles[i - 1], middles[i], 18, shortcut=True)


def _node(row: DrawingRow, middle: int, percent: int | None) -> _Node:
    """Return the node of a row; the image's has a shape instead of a share."""
    label = row.label if len(row.label) <= _LABEL else row.label[: _LABEL - 1] + "…"
    if row.kind == "field":
        return _Node(middle, label, "", None, dot=False)
    if not has_share(row):
        name = "image" if row.kind == "image" else label
        return _Node(middle, name, shape_text(row.shape), None)
    prefix = f"{row.kind} " if row.kind in ("stem", "head") else ""
    return _Node(middle, f"{prefix}{label}", "", percent)

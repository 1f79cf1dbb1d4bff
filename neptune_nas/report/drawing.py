"""An architecture as the rows of a drawing, from the image to the classes.

The parts of a network that a user's own record builds are not known: its fields are drawn instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from neptune_nas.architecture.description import title
from neptune_nas.architecture.records import (
    Architecture,
    Network,
    Stage,
    Stem,
    resolve_connections,
)
from neptune_nas.metrics.counted import Cost, CostModel
from neptune_nas.models.comparison import decisions
from neptune_nas.nn.builder import Entry, Part, Place, Whole, stage_shape

Kind = Literal["image", "stem", "entry", "substage", "head", "network", "field"]
Shape = tuple[int, int, int]

NOTHING = Cost(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Row:
    """One part of a network, and the map `(C, H, W)` that it puts out; or a field of a whole one.

    `reads`: how many rows up each of its inputs lies (1: the row before). `shortcut`: whether its
    input is also added to its output.
    """

    kind: Kind
    label: str
    shape: Shape
    cost: Cost
    reads: tuple[int, ...] = (1,)
    shortcut: bool = False


def rows(
    architecture: Architecture | Network, model: CostModel, counted: bool = True
) -> tuple[Row, ...]:
    """Return the rows of a drawing, the image first; costs where `counted`, which takes longer.

    Raises `ArchitectureError` if the model's images are too small for the architecture.
    """
    parts = model.parts(architecture)
    image = Row("image", "image", model.input_shape, NOTHING, reads=())
    costs = [model.of_part(part) if counted else NOTHING for part in parts]
    drawn = map(row_of, parts, costs, [architecture] * len(parts))
    return (image, *drawn, *(row for part in parts for row in field_rows(part)))


@cache
def model_for(input_shape: Shape, classes: int) -> CostModel:
    """The costs of parts on such images, remembered from one report to the next."""
    return CostModel(input_shape, classes)


def row_of(part: Part, cost: Cost, architecture: Any) -> Row:
    """Return the row of one part."""
    names = part.name.split(".")
    match part.what:
        case Stem() as stem:
            sides = (-(-side // stem.stride) for side in part.shape[1:])
            return Row("stem", stem_label(stem), (stem.width, *sides), cost)  # type: ignore[arg-type]  # two sides make it three
        case Entry() as entry:
            stage = architecture.stages[int(names[1])]
            return Row("entry", entry_label(entry), stage_shape(stage, part.shape), cost)
        case Place() as place:
            return substage_row(
                place, architecture.stages[int(names[1])], int(names[3]), part, cost
            )
        case Whole(whole):
            return Row("network", type(whole).__name__, (part.outputs, 1, 1), cost)
        case head:
            label = f"1x1 conv to {head.width}, " if head.width else ""
            return Row("head", f"{label}mean, linear", (part.outputs, 1, 1), cost)


def field_rows(part: Part) -> Iterator[Row]:
    """Yield a row for each field of a network that is drawn whole; they cost nothing."""
    if isinstance(part.what, Whole):
        for name, value in decisions(part.what.architecture).items():
            yield Row("field", f"{name} {value}", (part.outputs, 1, 1), NOTHING, reads=())


def substage_row(place: Place, stage: Stage, index: int, part: Part, cost: Cost) -> Row:
    """The row of a SubStage, which reads rows of its own stage only."""
    reads = tuple(index + 1 - source for source in resolve_connections(stage)[index])
    shortcut = stage.connections == "residual"
    return Row("substage", title(place.substage), part.shape, cost, reads, shortcut)


def stem_label(stem: Stem) -> str:
    """What the stem does."""
    return f"conv {stem.kernel}x{stem.kernel}" + f", stride {stem.stride}" * (stem.stride > 1)


def entry_label(entry: Entry) -> str:
    """What a stage does before its SubStages."""
    words = [title(entry.entry)]
    words += [f"stride {entry.stride}"] * (entry.stride > 1)
    words += [f"{entry.pool} pool"] * (entry.pool != "none")
    words += [f"{entry.norm} norm"] * (entry.norm != "none")
    return ", ".join(words)


def shares(found: tuple[Row, ...]) -> tuple[int, ...]:
    """The percent of all MACs that each row takes, rounded."""
    total = sum(row.cost.macs for row in found) or 1
    return tuple(int(100 * row.cost.macs / total + 0.5) for row in found)

"""An architecture as the rows of a drawing, from the image to the classes."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from neptune_nas.architecture.description import title
from neptune_nas.architecture.records import Architecture, Stage, Stem, resolve_connections
from neptune_nas.metrics.counted import Cost, CostModel
from neptune_nas.nn.builder import Entry, Part, Place, stage_shape

Kind = Literal["image", "stem", "entry", "substage", "head"]
Shape = tuple[int, int, int]

NOTHING = Cost(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Row:
    """One part of a network, and the map `(C, H, W)` that it puts out.

    `reads`: how many rows up each of its inputs lies (1: the row before). `shortcut`: whether its
    input is also added to its output.
    """

    kind: Kind
    label: str
    shape: Shape
    cost: Cost
    reads: tuple[int, ...] = (1,)
    shortcut: bool = False


def rows(architecture: Architecture, model: CostModel, counted: bool = True) -> tuple[Row, ...]:
    """The rows of a drawing, the image first; without costs unless `counted`, which takes longer.

    Raises `ArchitectureError` if the model's images are too small for the architecture.
    """
    parts = model.parts(architecture)
    image = Row("image", "image", model.input_shape, NOTHING, reads=())
    costs = [model.of_part(part) if counted else NOTHING for part in parts]
    return (image, *map(row_of, parts, costs, [architecture] * len(parts)))


@cache
def model_for(input_shape: Shape, classes: int) -> CostModel:
    """The costs of parts on such images, remembered from one report to the next."""
    return CostModel(input_shape, classes)


def row_of(part: Part, cost: Cost, architecture: Architecture) -> Row:
    """The row of one part."""
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
        case head:
            label = f"1x1 conv to {head.width}, " if head.width else ""
            return Row("head", f"{label}mean, linear", (part.classes, 1, 1), cost)


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

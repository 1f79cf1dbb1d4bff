"""The memory map of a network: which maps lie where and when, and where the peak is.

Steps run from left to right, bytes from the bottom to the top.
"""

from dataclasses import dataclass

from markupsafe import Markup

from neptune_nas.graphs.graph import Graph, Operation
from neptune_nas.graphs.memory_plan import PlannedMap, peak, plan, runtime_memory
from neptune_nas.metrics.registry import RAM
from neptune_nas.report.document import fill

_WIDTH, _HEIGHT = 380, 170  # px of the figure
_LEFT, _TOP, _BOTTOM = 8, 22, 20  # px around the plot
_NAMES = {"conv": "convolution", "linear": "linear layer"}


@dataclass(frozen=True, slots=True)
class _Block:
    """The rectangle of one map in px; `at_peak`: it lies in memory when the most is in use."""

    left: float
    top: float
    width: float
    height: float
    title: str
    at_peak: bool


def memory_map(graph: Graph) -> Markup:
    """Return the SVG of a fused graph's memory in int8; it takes the colour of the text around."""
    planned = plan(graph)
    most, steps = peak(planned), len(graph.operations)
    at = _peak_step(planned, steps)
    wide, high = (_WIDTH - 2 * _LEFT) / steps, (_HEIGHT - _TOP - _BOTTOM) / most
    context = {
        "width": _WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
        "bottom": _HEIGHT - _BOTTOM,
        "peak": _TOP,
        "peak_text": f"maps: peak {_bytes(most)}, in operation {at + 1} of {steps}",
        "foot": f"the runtime keeps {_bytes(runtime_memory(graph))} more",
        "blocks": [
            _Block(
                left=_LEFT + each.start * wide,
                top=_HEIGHT - _BOTTOM - each.top * high,
                width=(each.end - each.start + 1) * wide,
                height=each.size * high,
                title=_title(graph, each),
                at_peak=each.start <= at <= each.end,
            )
            for each in planned
        ],
    }
    return fill("memory_map.svg", context)


def _peak_step(planned: tuple[PlannedMap, ...], steps: int) -> int:
    """Return the first step in which the maps that are alive have the most bytes."""
    alive = [
        sum(each.size for each in planned if each.start <= i <= each.end) for i in range(steps)
    ]
    return alive.index(max(alive))


def _title(graph: Graph, planned: PlannedMap) -> str:
    """Return what a map is: who writes it, its shape, its bytes, the steps of its life."""
    writer = next((o for o in graph.operations if o.output == planned.value), None)
    shape = " \N{MULTIPLICATION SIGN} ".join(map(str, graph.shapes[planned.value]))
    life = f"operations {planned.start + 1} to {planned.end + 1}"
    return f"{_name(writer)}, {shape}, {_bytes(planned.size)}, {life}"


def _name(writer: Operation | None) -> str:
    """Return the name of the operation that writes a map, or that of the image."""
    if writer is None:
        return "image"
    name = _NAMES.get(writer.kind, writer.kind.replace("_", " "))
    side = f"{writer.kernel[0]}x{writer.kernel[1]} " if writer.kind in ("conv", "depthwise") else ""
    return f"{side}{name}"


def _bytes(size: int) -> str:
    return RAM.text(size)

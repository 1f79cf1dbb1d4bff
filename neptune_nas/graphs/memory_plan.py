"""The memory that a graph needs while it runs, as TensorFlow Lite Micro plans it.

Maps live from the operation that writes them to the last that reads them. The planner takes them
from the largest to the smallest, and of equal ones the later first, and puts each at the lowest
offset that no map of the same time overlaps (`GreedyMemoryPlanner` of tflite-micro).

Behind the maps, at the other end of the arena, lies what the runtime keeps of each tensor and
operation. Its sizes are those of tflite-micro's reference kernels on a 64-bit PC, as its recorded
allocations say, to the byte; a board with pointers of 32 bits needs less of it, and kernels of a
vendor (CMSIS-NN, ESP-NN) need memory of their own while they run, which is not counted here.
"""

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter, neg

from neptune_nas.graphs.graph import CONSTANTS, Graph, Kind

_INTERPRETER = 488  # its allocators, its planner and lists
_TENSOR, _NODE = 24, 64  # `TfLiteEvalTensor`; `NodeAndRegistration`
_ENDS = 224  # the images and the output as whole tensors, with their quantisation
_OPTIONS: Mapping[Kind, int] = {
    "conv": 28,
    "depthwise": 28,
    "linear": 32,
    "add": 8,
    "mul": 4,
    "max_pool": 40,
    "average_pool": 40,
    "concat": 8,
    "resize": 4,
}
"""Bytes of an operation's options as the interpreter reads them, by kind (else 0)."""
_DATA: Mapping[Kind, int] = {
    "conv": 80,
    "depthwise": 80,
    "linear": 72,
    "add": 60,
    "mul": 36,
    "max_pool": 32,
    "average_pool": 32,
    "relu": 28,
    "relu6": 8,
    "sigmoid": 16,
    "hard_swish": 20,
    "concat": 80,
    "resize": 0,
}
"""Bytes that the kernel of an operation prepares for itself, by kind."""
_BY_CHANNEL = 4  # bytes of a multiplier, and of a shift, for each channel of a convolution


@dataclass(frozen=True, slots=True)
class PlannedMap:
    """A value in memory: `start` and `end` are the first and last step of its life, inclusive."""

    value: int
    size: int
    start: int
    end: int
    offset: int = 0

    @property
    def top(self) -> int:
        """The first byte after it."""
        return self.offset + self.size


def plan(graph: Graph) -> tuple[PlannedMap, ...]:
    """Return where each map of a graph in int8 lies, by value."""
    lives = _lives(graph)
    order = sorted(
        (-_aligned(graph.size(value)), -start, -value) for value, (start, _) in lives.items()
    )
    placed: list[tuple[int, int, int, int, int]] = []  # offset, top, start, end, value
    for size, start, value in (map(neg, each) for each in order):
        end, offset = lives[value][1], 0
        for other_offset, top, other_start, other_end, _ in placed:
            if other_start <= end and start <= other_end:
                if other_offset >= offset + size:
                    break
                offset = max(offset, top)
        insort(placed, (offset, offset + size, start, end, value))
    maps = (
        PlannedMap(value, top - offset, start, end, offset)
        for offset, top, start, end, value in placed
    )
    return tuple(sorted(maps, key=attrgetter("value")))


def peak(planned: tuple[PlannedMap, ...]) -> int:
    """Return the bytes that all maps need together."""
    return max(each.top for each in planned)


def arena(graph: Graph) -> int:
    """Return the bytes of tflite-micro's arena for a fused graph in int8: its maps and the rest."""
    return peak(plan(graph)) + runtime_memory(graph)


def runtime_memory(graph: Graph) -> int:
    """Return the bytes that tflite-micro keeps of a fused graph in int8, besides its maps."""
    operations = graph.operations
    constants = sum(CONSTANTS.get(each.kind, 0) for each in operations)
    tensors = len(graph.shapes) + constants
    total = _INTERPRETER + _TENSOR * tensors + _NODE * len(operations)
    for operation in operations:
        total += _OPTIONS.get(operation.kind, 0)
        if operation.kind == "linear":
            total = _aligned(total, 8)
    for operation in operations:
        total = _aligned(total + _DATA[operation.kind])
        if operation.kind in ("conv", "depthwise"):
            total += 2 * _aligned(_BY_CHANNEL * graph.shapes[operation.output][-1])
    return total + _ENDS


def _lives(graph: Graph) -> Mapping[int, tuple[int, int]]:
    """Return the first and the last step in which each value is in memory."""
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for step, operation in enumerate(graph.operations):
        first[operation.output] = last[operation.output] = step
        for value in operation.inputs:
            last[value] = step
    last[graph.output] = len(graph.operations) - 1
    return {value: (first[value], last[value]) for value in first}


def _aligned(size: int, to: int = 16) -> int:
    return -(-size // to) * to

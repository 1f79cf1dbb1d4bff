"""The size of the .tflite file of a graph in int8, counted without its weights, to the byte.

A flatbuffer is made of vectors and tables. Each vector is aligned to its elements and begins with
its length; each table refers to a list of where its fields lie, which equal tables share
(https://flatbuffers.dev/internals). `deploy.tflite` writes what is counted here; a test holds one
to the other.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import prod

from neptune_nas.graphs.graph import CONSTANTS, Graph, Kind, Operation

_Fields = tuple[tuple[int, int], ...]
"""The place of each field of a table in the schema, and its bytes; a field of 0 is left out."""
_Block = tuple[_Fields | int, ...]
"""Tables, and vectors by their bytes, negative where elements have 8, in the order of the file."""

_CODE: _Fields = ((0, 1), (2, 4), (3, 4))  # the operator's number, twice, and a version above 1
_CODES: Mapping[Kind, _Fields] = {"add": ((2, 4),), "hard_swish": ((0, 1), (3, 4))}
_SCALES: _Fields = ((2, 4), (3, 4))
_CONSTANT: _Fields = ((0, 4), (1, 1), (2, 4))  # a tensor's shape, type and buffer
_BUFFER: _Fields = ((0, 4),)
_OPTIONS: Mapping[Kind, tuple[_Fields, int]] = {
    "conv": (((1, 4), (2, 4)), 3),
    "depthwise": (((1, 4), (2, 4), (3, 4)), 4),
    "linear": ((), 0),
    "add": ((), 0),
    "mul": ((), 0),
    "max_pool": (((1, 4), (2, 4), (3, 4), (4, 4)), 5),
    "average_pool": (((1, 4), (2, 4), (3, 4), (4, 4)), 5),
    "concat": (((0, 4),), 1),
    "hard_swish": ((), 0),
    "resize": (((3, 1),), 0),
}
"""The options of an operation that are never 0, and the place of its activation, by kind."""
_SLIDING = ("conv", "depthwise", "max_pool", "average_pool")


def file_size(graph: Graph) -> int:
    """Return the bytes of the lean int8 file of a fused graph."""
    shapes, operations = graph.shapes, graph.operations
    constant = [each for each in operations if each.kind in CONSTANTS]
    kinds = list(dict.fromkeys(each.kind for each in operations))
    file = _File()
    for kind in kinds:
        file.add_table(_CODES.get(kind, _CODE))
    file.add_vector(4 * len(kinds))
    for shape in shapes.values():
        file.add(_map, len(shape))
    for each in constant:
        file.add(_tensors, each.kind, shapes[each.output][-1])
    constants = sum(CONSTANTS[each.kind] for each in constant)
    file.add(_lists, len(shapes) + constants, len(graph.inputs), 1)
    for each in operations:
        inputs = len(each.inputs) + CONSTANTS.get(each.kind, 0)
        valid = each.kind in _SLIDING and _is_valid(each, graph)
        active = each.activation != "none"
        file.add(_operator, each.kind, inputs, each.kind != kinds[0], valid, active)
    file.add(_subgraph, len(operations))
    for each in constant:
        if each.kind == "resize":
            file.add(_size_buffer)
        else:
            file.add(_buffers, _weights(each, graph), 4 * shapes[each.output][-1])
    file.add(_model, 1 + constants)
    return -(-file.total // 8) * 8 + 8


class _File:
    """The bytes of a file so far; `lists`: of the places of fields, of which each is there once."""

    def __init__(self) -> None:
        self.total = 0
        self.lists: set[tuple[int, ...]] = set()
        self.known: dict[object, int] = {}

    def add(self, make: Callable[..., _Block], *arguments: object) -> None:
        """Add a block; one whose lists are all there has the same size at the same alignment."""
        place = make, arguments, self.total % 8
        size = self.known.get(place)
        if size is not None:
            self.total += size
            return
        before, lists = self.total, len(self.lists)
        for part in make(*arguments):
            if isinstance(part, int):
                self.add_vector(part)
            else:
                self.add_table(part)
        if lists == len(self.lists):
            self.known[place] = self.total - before

    def add_vector(self, size: int) -> None:
        """Add a vector of that many bytes, negative where its elements have 8."""
        self.total += -(self.total + size) % (8 if size < 0 else 4) + abs(size) + 4

    def add_table(self, fields: _Fields) -> None:
        """Add a table, and the list of where its fields lie if no table before had the same."""
        size, places = _table(fields, self.total % 4)
        self.total += size
        if places not in self.lists:
            self.lists.add(places)
            self.total += 2 * len(places)


@lru_cache
def _table(fields: _Fields, start: int) -> tuple[int, tuple[int, ...]]:
    """Return the bytes of a table, and its list: of its own length, the table's, and each place."""
    end, ends = start, {}
    for slot, size in fields:
        end += -end % size + size
        ends[slot] = end
    end += -end % 4 + 4
    slots = range(max(ends, default=-1) + 1)
    places = (end - ends[slot] if slot in ends else 0 for slot in slots)
    return end - start, (2 * len(slots) + 4, end - start, *places)


def _map(rank: int) -> _Block:
    """Return the tensor of a map: its shape, scale, zero point, and the tables around them."""
    return 4 * (rank + 1), 4, -8, _SCALES, ((0, 4), (1, 1), (4, 4))


def _tensors(kind: Kind, channels: int) -> _Block:
    """Return the constant tensors of an operation with that many output channels."""
    if kind == "resize":
        return 4, _CONSTANT
    quantised: _Fields = (*_CONSTANT, (4, 4))
    if kind == "linear":
        return 8, 4, -8, _SCALES, quantised, 4, 4, -8, _SCALES, quantised
    scales = (*_SCALES, (6, 4)) if kind == "depthwise" else _SCALES
    return 16, 4 * channels, -8 * channels, scales, quantised, 4, _CONSTANT


def _lists(*lengths: int) -> _Block:
    """Return vectors of so many numbers of 4 bytes."""
    return tuple(4 * length for length in lengths)


def _operator(kind: Kind, inputs: int, later: bool, valid: bool, active: bool) -> _Block:
    """Return an operator; `later`: of another kind than the first. `valid`: see `_is_valid`."""
    first: _Fields = ((0, 4),) if later else ()
    fields: _Fields = (*first, (1, 4), (2, 4))
    if kind not in _OPTIONS:
        return 4 * inputs, 4, fields
    known, place = _OPTIONS[kind]
    options = (*(((0, 1),) if valid else ()), *known, *(((place, 1),) if active else ()))
    return 4 * inputs, 4, options, (*fields, (3, 1), (4, 4))


def _subgraph(operators: int) -> _Block:
    """Return the rest of the subgraph, the list of the only one, and the empty first buffer."""
    return 4 * operators, ((0, 4), (1, 4), (2, 4), (3, 4)), 4, ()


def _buffers(weights: int, biases: int) -> _Block:
    """Return the numbers of an operation."""
    return weights, _BUFFER, biases, _BUFFER


def _size_buffer() -> _Block:
    """Return the height and width that a map is resized to."""
    return 8, _BUFFER


def _model(buffers: int) -> _Block:
    """Return the list of buffers and the root table."""
    return 4 * buffers, ((0, 4), (1, 4), (2, 4), (4, 4))


def _is_valid(operation: Operation, graph: Graph) -> bool:
    """Return whether an operation neither pads nor leaves out a row or column."""
    if operation.padding != (0, 0):
        return False
    source, target = graph.shapes[operation.inputs[0]], graph.shapes[operation.output]
    return all(
        target[axis] == (source[axis] - operation.kernel[axis]) // operation.stride[axis] + 1
        for axis in (0, 1)
    )


def _weights(operation: Operation, graph: Graph) -> int:
    """Return the bytes of an operation's weights, of one byte each."""
    source, channels = graph.shapes[operation.inputs[0]], graph.shapes[operation.output][-1]
    match operation.kind:
        case "linear":
            return prod(source) * channels
        case "conv":
            return prod(operation.kernel) * source[-1] * channels
    return prod(operation.kernel) * channels

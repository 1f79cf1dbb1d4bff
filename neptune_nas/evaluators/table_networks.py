"""The networks that the rows of a table name, found by the picks in their cells."""

import re
from collections.abc import Callable, Container, Iterable
from itertools import chain, islice
from typing import Any

from neptune_nas.errors import DataError, NeptuneError
from neptune_nas.space import Picks, Space
from neptune_nas.space.compiler import Label
from neptune_nas.space.joint import Copies, Fields, Items, Joint
from neptune_nas.space.nodes import FREE, Node
from neptune_nas.space.walk import Decision, decide, decisions

Code = tuple[int, ...]
Cells = tuple[str, ...]
_Reader = Callable[[Cells], Code]

_NUMBER = re.compile(r"\A-?\d+(\.\d+)?([eE][+-]?\d+)?\Z")
_NONE = "None"


class TableNetworks:
    """The networks of `space`, named by one cell for each decision.

    `present`: the paths that the table has a column for; where one is missing, cells are empty.
    Without ties or a rule on whole networks, the fields of the root record and the items of its
    tuples are independent, so that each is decoded once for equal cells. Whether the root record
    accepts them together is then not checked: a network that it refuses is never looked up.
    """

    def __init__(self, space: Space[Any], present: Container[str]) -> None:
        self.space = space
        self.columns = {
            each.path: _Column(each, space.name, each.path in present) for each in space.decisions
        }
        self._known: dict[Cells, Code] = {}
        is_tied = any(given != FREE for given in space.free.counts)
        self._read = None if is_tied or space.where else self._reader(space.free, "")

    def code(self, cells: Cells, where: str) -> Code:
        """Return the code of the network with these cells, one for each of `columns`.

        Raises `DataError`, beginning with `where`, for cells that name no network of the space.
        """
        if self._read:
            try:
                return self._read(cells)
            except (KeyError, NeptuneError):
                return self._decode(cells, where)  # raises, and names the error
        if cells not in self._known:
            self._known[cells] = self._decode(cells, where)
        return self._known[cells]

    def _reader(self, node: Node, path: str) -> _Reader:
        """Return a function from the cells of a part of the template to its code."""
        match node:
            case Joint(form=Items()):
                return self._row_reader(node, path)
            case Joint(form=Fields()) if not path:
                return self._row_reader(node, path)
            case Copies():
                return self._copies_reader(node, path)
        return self._part_reader(node, path)

    def _row_reader(self, node: Joint, path: str) -> _Reader:
        parts: list[tuple[slice, _Reader]] = []
        end = 0
        for place, part in zip(node.form.places(path), node.parts, strict=True):
            start, end = end, end + sum(1 for _ in decisions(part, place))
            if start < end:
                parts.append((slice(start, end), self._reader(part, place)))

        def read(cells: Cells) -> Code:
            return tuple(chain.from_iterable([part(cells[span]) for span, part in parts]))

        return read

    def _copies_reader(self, node: Copies, path: str) -> _Reader:
        depth = self.columns[f"{path}.depth"] if node.low < node.high else None
        items = [self._reader(node.item, f"{path}.{i}") for i in range(node.high)]
        width = sum(1 for _ in decisions(node.item, f"{path}.0"))

        def read(cells: Cells) -> Code:
            pick = depth.option(cells[0]) if depth else node.low
            assert isinstance(pick, int)
            taken = iter(cells[1:] if depth else cells)
            code: Code = (depth.options.index(pick),) if depth else ()
            for item in items[:pick]:
                code += item(tuple(islice(taken, width)))
            rest = tuple(taken)
            if any(rest):
                raise KeyError(path)
            return (*code, *(-1 for _ in rest))

        return read

    def _part_reader(self, node: Node, path: str) -> _Reader:
        columns = [self.columns[each.path] for each in decisions(node, path)]
        known: dict[Cells, Code] = {}

        def read(cells: Cells) -> Code:
            if (code := known.get(cells)) is None:
                picks = _RowPicks(columns, cells)
                decide(node, lambda decision: picks[decision.path], path)
                if picks.keys() - picks.taken.keys():
                    raise KeyError(path)
                code = known[cells] = picks.code(columns)
            return code

        return read

    def _decode(self, cells: Cells, where: str) -> Code:
        columns = self.columns.values()
        try:
            picks = _RowPicks(columns, cells)
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        try:
            self.space.decode(picks)
        except NeptuneError as error:
            raise DataError(f"{where} is not a network of the space: {error}") from error
        return picks.code(columns)


class _Column:
    """The options of one decision, by their texts."""

    def __init__(self, decision: Decision, space: str, is_present: bool) -> None:
        self.path, self.space = decision.path, space
        self.options = [*decision.options]
        self.by_text = {str(option): option for option in decision.options}
        self.by_number = {
            float(text): option for text, option in self.by_text.items() if _NUMBER.match(text)
        }
        self.may_be_empty = is_present and _NONE in self.by_text

    def option(self, cell: str) -> Label:
        """Return the option that a cell names; numbers are compared as numbers."""
        if cell in self.by_text:
            return self.by_text[cell]
        if _NUMBER.match(cell) and float(cell) in self.by_number:
            return self.by_number[float(cell)]
        raise DataError(
            f"`{self.path}` of space '{self.space}' is one of {', '.join(self.by_text)}, "
            f"but is {cell!r}."
        )


class _RowPicks(Picks):
    """The picks of a row; an empty cell is None where a decision arises and may be None.

    `taken`: those that were asked for, since their decisions arise.
    """

    def __init__(self, columns: Iterable[_Column], cells: Cells) -> None:
        named = [*zip(columns, cells, strict=True)]
        super().__init__({each.path: each.option(cell) for each, cell in named if cell})
        self.nones: Picks = {
            each.path: each.by_text[_NONE] for each, cell in named if not cell and each.may_be_empty
        }
        self.taken: Picks = {}

    def __getitem__(self, path: str) -> Label:
        option = self.taken[path] = super().__getitem__(path)
        return option

    def __contains__(self, path: object) -> bool:
        return super().__contains__(path) or path in self.nones

    def __missing__(self, path: str) -> Label:
        return self.nones[path]

    def code(self, columns: Iterable[_Column]) -> Code:
        """Return the index of the option taken in each column, -1 for none."""
        return tuple(
            each.options.index(self.taken[each.path]) if each.path in self.taken else -1
            for each in columns
        )


def code_of(space: Space[Any], architecture: Any) -> Code:
    """Return the index of the option taken at each decision of the space, -1 for none."""
    taken = space.picks(architecture)
    return tuple(d.options.index(taken[d.path]) if d.path in taken else -1 for d in space.decisions)


def code_of_digits(digits: str, space: Space[Any], where: str) -> Code:
    """Return the code that one digit per decision writes; raises `DataError` for another space."""
    sizes = [len(decision.options) for decision in space.decisions]
    fits = len(digits) == len(sizes) and digits.isdecimal()
    if not fits or any(int(d) >= size for d, size in zip(digits, sizes, strict=False)):
        raise DataError(
            f"{where}: a code of space '{space.name}' has {len(sizes)} digits, each below the "
            f"number of options ({', '.join(map(str, sizes))}): is it a table of another space?"
        )
    return tuple(map(int, digits))

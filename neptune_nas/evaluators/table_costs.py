"""The costs that a table states for its networks: valid numbers, one value per network."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Annotated, Any, Protocol

from neptune_nas.errors import ArchitectureError, DataError, FileFormatError, OptionError
from neptune_nas.files.rules import FINITE, at_least
from neptune_nas.files.schema import check_value, located
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import COST, COSTS, COUNTED, MACS, TIMED
from neptune_nas.space import Space

_NAMES = tuple(cost.name for cost in COSTS)
_LEAST = {name: int(name in (COST.name, MACS.name)) for name in _NAMES}
"""The least value of each cost: no network has no operations at all."""


def check_costs(costs: Mapping[str, float], where: str) -> None:
    """Refuse known costs that are out of range; `where` names the place in the table."""
    for name in _NAMES:
        if name in costs and not _LEAST[name] <= costs[name] < inf:
            hint = Annotated[float, at_least(_LEAST[name]), FINITE]
            remedy = "correct it, or leave it empty if it is unknown"
            with located(where):
                check_value(costs[name], hint, name, FileFormatError, remedy)


def merge_costs(
    earlier: Mapping[str, float], costs: Mapping[str, float], where: str
) -> dict[str, float]:
    """Return the costs that the rows of one network state so far; refuse contradictions."""
    for name in _NAMES:
        if name in earlier and costs.get(name, earlier[name]) != earlier[name]:
            raise FileFormatError(
                f"{where}: `{name}` is {costs[name]!r}, but {earlier[name]!r} in an earlier row of "
                f"the same network: give the same value in all of its rows, or in only one."
            )
    return {**earlier, **costs}


class _CostTable(Protocol):
    """A table of networks with costs."""

    @property
    def source(self) -> str:
        """The origin of the table, for messages."""

    @property
    def space(self) -> Space[Any]:
        """The space of its networks."""

    @property
    def costs(self) -> Mapping[Any, Mapping[str, float]]:
        """The further columns of each network, besides its scores, by name."""

    def cost(self, architecture: Any, /) -> Mapping[str, float]:
        """Return the further columns of one network; raises `DataError` if the table lacks it."""


@dataclass(frozen=True, slots=True)
class TableCosts:
    """Costs of a table's networks: counted by `model`, or the table's own where that is None."""

    table: _CostTable
    model: CostModel | None

    def value(self, name: str, architecture: Any) -> float:
        """Return one cost, or 0 where it is not known.

        Raises `ArchitectureError` for a network that the table lacks.
        """
        return self.values(architecture, (name,)).get(name, 0.0)

    def values(self, architecture: Any, names: Iterable[str] = ()) -> Mapping[str, float]:
        """Return the counted costs that are known; raises as `value` does."""
        known = self._columns_of(architecture)
        if self.model is not None:
            return self.model.values(architecture, names)
        return {each.name: round(known[each.name]) for each in COUNTED if each.name in known}

    def timed(self, name: str, architecture: Any) -> float:
        """Return the table's value of a timed metric; raises as `value` does."""
        return self._columns_of(architecture)[name]

    def _columns_of(self, architecture: Any) -> Mapping[str, float]:
        try:
            return _with_flops(self.table.cost(architecture))
        except DataError as error:
            raise ArchitectureError(str(error)) from error

    @property
    def timed_names(self) -> tuple[str, ...]:
        """The timed metrics that the table states for any network, so that none is measured."""
        said = {name for costs in self.table.costs.values() for name in costs}
        return tuple(each.name for each in TIMED if each.name in said)

    def names(self) -> frozenset[str]:
        """Return the costs that are known, or can be determined, for every network."""
        known = map(_with_flops, self.table.costs.values())
        found = frozenset.intersection(*map(frozenset, known))
        if self.model is None:
            return found
        timed = {each.name for each in TIMED if each.name not in self.timed_names}
        return found | timed | {each.name for each in COUNTED}


def _with_flops(costs: Mapping[str, float]) -> dict[str, float]:
    """Return a table's costs with both FLOPs and MACs, if it states either of them."""
    found = dict(costs)
    if MACS.name in found or COST.name in found:
        macs = round(found.get(MACS.name, found.get(COST.name, 0.0) / 2))
        found |= {MACS.name: macs, COST.name: 2 * macs}
    return found


def unknown_cost(name: str, known: TableCosts) -> OptionError:
    """Return an error that says why a search cannot have a cost, and what would help."""
    source, space = known.table.source, known.table.space.name
    lacks = f"{source} does not give the {name} of every network of space '{space}'"
    leave = "or leave it out of the objectives and constraints."
    if known.model is not None:
        return OptionError(f"{lacks}, only of some: fill the column `{name}`, drop it, {leave}")
    return OptionError(
        f"{lacks}, and neptune-nas cannot build them to find it: add a column `{name}`, {leave}"
    )


def check_some(name: str, known: TableCosts) -> None:
    """Refuse a cost that is 0 for every network of a table: it cannot tell networks apart."""
    is_own = known.model is None or name in known.timed_names
    if is_own and all(costs.get(name) == 0 for costs in known.table.costs.values()):
        raise OptionError(
            f"{known.table.source} gives every network a {name} of 0: correct the column "
            f"`{name}`, or leave it out of the objectives and constraints."
        )


def can_build(table: _CostTable, model: CostModel) -> bool:
    """Return whether a sample of the table's networks can be built for the model's images."""
    try:
        model.cost(table.space.sample(Random(0)))
    except ArchitectureError:
        return False
    return True

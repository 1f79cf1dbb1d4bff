"""A table of trained networks in the place of images: what a search on one is measured on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import isnan
from pathlib import Path
from random import Random
from typing import Any

from neptune_nas.data.load import load_once
from neptune_nas.errors import ArchitectureError, DataError, OptionError
from neptune_nas.evaluators.table_file import ONLY
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.trial import Cost
from neptune_nas.search.ground import Ground
from neptune_nas.study.objectives import EXACT
from neptune_nas.tasks.registry import TASKS

Shape = tuple[int, int, int]

TASK = "classification"  # which the networks of a table were trained for
DATA = "cifar10"  # which the networks of a table saw, unless it is said
IMAGES: Mapping[str, tuple[Shape, int]] = {
    "digits": ((1, 8, 8), 10),
    "mnist": ((1, 28, 28), 10),
    "fashion-mnist": ((1, 28, 28), 10),
    "cifar10": ((3, 32, 32), 10),
    "cifar100": ((3, 32, 32), 100),
}
"""Shape and classes by data set, which needn't be at hand for a table of it."""

NO_IMAGES = (0, 0, 0)
SHOWN = 10  # fidelities in a message


@dataclass(frozen=True, slots=True)
class TableCosts:
    """Costs of a table's networks: counted by `model`, or, without one, the table's own."""

    table: Tabular[Any]
    model: CostModel | None

    def cost(self, architecture: Any) -> Cost:
        """The cost; raises `ArchitectureError` for a network that the table lacks."""
        known = self._known(architecture)
        if self.model is not None:
            return self.model.cost(architecture)
        macs = known.get("macs", known.get("flops", 0.0) / 2)
        return Cost(
            *(round(n) for n in (macs, known.get("params", 0), known.get("activations", 0)))
        )

    def latency(self, architecture: Any) -> float:
        """The table's latency in ms; raises `ArchitectureError` as `cost` does."""
        return self._known(architecture)["latency"]

    def _known(self, architecture: Any) -> Mapping[str, float]:
        try:
            return self.table.cost(architecture)
        except DataError as error:
            raise ArchitectureError(str(error)) from error

    @property
    def has_latency(self) -> bool:
        """Whether the table says a latency of any network, so that none is measured."""
        return any("latency" in costs for costs in self.table.costs.values())

    def names(self) -> frozenset[str]:
        """The costs that are known of every network, or can be found."""
        found = frozenset.intersection(*map(frozenset, self.table.costs.values()))
        if self.model is not None:
            return frozenset(EXACT) | (found if self.has_latency else {"latency"})
        both = {"macs", "flops"}
        return found | both if found & both else found


def table_task(
    table: Tabular[Any], data: str, data_dir: str | Path | None, costs: Iterable[str]
) -> Ground:
    """A search on a table, whose networks saw images such as those of `data`.

    `costs`: those that the search needs. Raises `OptionError` where one can neither be found here,
    as the networks cannot be built, nor in the table. A latency that the table says of some
    networks is not measured of the others.
    """
    shape, classes = image_facts(data, data_dir)
    model = CostModel(shape, classes)
    known = TableCosts(table, model if can_build(table, model) else None)
    for name in costs:
        if name not in known.names():
            raise unknown_cost(name, known)
        check_some(name, known)
    fingerprint = sha256(Path(table.source).read_bytes()).hexdigest()[:16]
    latency = known.latency if known.has_latency else None
    return Ground(table, known, shape, classes, TASKS[TASK], fingerprint, NO_IMAGES, latency)


def unknown_cost(name: str, known: TableCosts) -> OptionError:
    """Why a search cannot have a cost, and what would help."""
    source, space = known.table.source, known.table.space.name
    lacks = f"{source} does not say the {name} of every network of space '{space}'"
    leave = "or leave it out of the objectives and constraints."
    if known.model is not None:
        return OptionError(f"{lacks}, only of some: fill the column `{name}`, drop it, {leave}")
    return OptionError(
        f"{lacks}, and neptune-nas cannot build them to find it: add a column `{name}`, {leave}"
    )


def check_some(name: str, known: TableCosts) -> None:
    """Refuse a cost that a table says is 0 of every network: nothing can be measured by it."""
    is_own = known.model is None or name == "latency"
    if is_own and all(costs.get(name) == 0 for costs in known.table.costs.values()):
        raise OptionError(
            f"{known.table.source} says that the {name} of every network is 0: correct the column "
            f"`{name}`, or leave it out of the objectives and constraints."
        )


def image_facts(data: str, data_dir: str | Path | None) -> tuple[Shape, int]:
    """The shape of a data set's images and its classes."""
    if data in IMAGES:
        return IMAGES[data]
    images = load_once(data, data_dir, 0)
    return images.input_shape, len(images.classes)


def can_build(table: Tabular[Any], model: CostModel) -> bool:
    """Whether an example of the table's networks can be built for the model's images."""
    try:
        model.cost(table.space.sample(Random(0)))
    except ArchitectureError:
        return False
    return True


def fidelities(table: Tabular[Any]) -> tuple[int, ...]:
    """The fidelities that a table has of any network, rising; only 0 where it names none."""
    return tuple(sorted({fidelity for runs in table.runs.values() for fidelity in runs}))


def common_fidelities(table: Tabular[Any]) -> tuple[int, ...]:
    """The fidelities that a table has of every network, rising; there may be none.

    Only there are scores of one fidelity: elsewhere a network answers by its next lower one.
    """
    return tuple(sorted(frozenset.intersection(*map(frozenset, table.runs.values()))))


def check_loss(table: Tabular[Any], rungs: tuple[int, ...]) -> None:
    """Refuse a search for loss where a score that it may look up at these rungs has none."""
    found = (
        loss
        for runs in table.runs.values()
        for rung in rungs
        for _, loss in runs[max(known for known in runs if known <= rung)]
    )
    if any(map(isnan, found)):
        raise OptionError(
            f"{table.source} does not say the loss of every network: fill a column `loss`, or "
            f"leave it out of the objectives."
        )


def check_repeats(table: Tabular[Any], repeats: int, last: int) -> None:
    """Refuse more seeds than a table has runs of each network at the last rung.

    One of its runs would count twice.
    """
    runs = table.least_runs(last)
    if repeats > runs:
        raise OptionError(
            f"`repeats` (--repeat-seeds) must be at most {runs}, as many runs as {table.source} "
            f"has of every network, but got {repeats}."
        )


def check_rungs(table: Tabular[Any], rungs: tuple[int, ...]) -> None:
    """Refuse rungs that a table cannot answer at."""
    lowest = max(min(runs) for runs in table.runs.values())
    if rungs[0] < max(lowest, 1):
        raise OptionError(
            f"rungs must begin at {max(lowest, 1)}, the least that {table.source} has a score of "
            f"for every network, but got {','.join(map(str, rungs))}."
        )
    if len(rungs) > 1 and fidelities(table) == (ONLY,):
        raise OptionError(
            f"rungs need a table with fidelities, but {table.source} has one for each network: "
            f"leave `rungs` (--rungs) out."
        )
    if fidelities(table) != (ONLY,) and (unknown := {*rungs} - {*fidelities(table)}):
        raise OptionError(
            f"rungs must be fidelities that {table.source} has of some network "
            f"({named(fidelities(table))}), but it has none at {named(sorted(unknown))}."
        )


def named(numbers: Sequence[int]) -> str:
    """Rising numbers in a sentence; of many only the first, and the last.

    >>> named((1, 4)), named(range(1, 91))
    ('1, 4', '1, 2, 3, 4, 5, 6, 7, 8, 9, ..., 90')
    """
    if len(numbers) <= SHOWN:
        return ", ".join(map(str, numbers))
    return ", ".join(map(str, (*numbers[: SHOWN - 1], "...", numbers[-1])))

"""A table of trained networks in the place of images: what a search on one is measured on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from neptune_nas.data.load import load_once
from neptune_nas.errors import ArchitectureError, DataError, OptionError
from neptune_nas.evaluators.table_file import ONLY
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import COUNTED, TIMED
from neptune_nas.search.task import Task, guess
from neptune_nas.study.settings import Question

Shape = tuple[int, int, int]

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

    def value(self, name: str, architecture: Any) -> float:
        """Return one cost, 0 where it is not known.

        Raises `ArchitectureError` for a network that the table lacks.
        """
        return self.values(architecture, (name,)).get(name, 0.0)

    def values(self, architecture: Any, names: Iterable[str] = ()) -> Mapping[str, float]:
        """Return the counted costs that are known. Raises as `value` does."""
        known = self._known(architecture)
        if self.model is not None:
            return self.model.values(architecture, names)
        return {each.name: round(known[each.name]) for each in COUNTED if each.name in known}

    def timed(self, name: str, architecture: Any) -> float:
        """Return the table's value of a timed metric. Raises as `value` does."""
        return self._known(architecture)[name]

    def _known(self, architecture: Any) -> Mapping[str, float]:
        try:
            return with_flops(self.table.cost(architecture))
        except DataError as error:
            raise ArchitectureError(str(error)) from error

    @property
    def timed_names(self) -> tuple[str, ...]:
        """The timed metrics that the table says of any network, so that none is measured."""
        said = {name for costs in self.table.costs.values() for name in costs}
        return tuple(each.name for each in TIMED if each.name in said)

    def names(self) -> frozenset[str]:
        """The costs that are known of every network, or can be found."""
        known = map(with_flops, self.table.costs.values())
        found = frozenset.intersection(*map(frozenset, known))
        if self.model is None:
            return found
        timed = {each.name for each in TIMED if each.name not in self.timed_names}
        return found | timed | {each.name for each in COUNTED}


def with_flops(costs: Mapping[str, float]) -> dict[str, float]:
    """Return a table's costs with FLOPs and MACs both, where it says one of them."""
    found = dict(costs)
    if "macs" in found or "flops" in found:
        macs = round(found.get("macs", found.get("flops", 0.0) / 2))
        found |= {"macs": macs, "flops": 2 * macs}
    return found


def table_task(
    table: Tabular[Any], data: str, data_dir: str | Path | None, costs: Iterable[str]
) -> Task:
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
    timed = {name: partial(known.timed, name) for name in known.timed_names}
    odds = guess(classes, 1 / classes)
    return Task(table, known, shape, classes, odds, fingerprint, NO_IMAGES, timed)


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
    is_own = known.model is None or name in known.timed_names
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


def check_scored(table: Tabular[Any], question: Question) -> None:
    """Refuse an objective that some score lacks which a search may look up at its rungs."""
    found = [
        run
        for runs in table.runs.values()
        for rung in question.rungs
        for run in runs[max(known for known in runs if known <= rung)]
    ]
    for aim in question.aims:
        if aim.is_scored and not all(aim.name in run for run in found):
            raise OptionError(
                f"{table.source} does not say the {aim.name} of every network: fill a column "
                f"`{aim.name}`, or leave it out of the objectives."
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

"""Scores looked up in a table of trained networks: a search without training."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Any, Generic, TypeVar

from neptune_nas.data.load import load_once
from neptune_nas.errors import DataError, OptionError
from neptune_nas.evaluators.bench import Asked, Bench, Shape
from neptune_nas.evaluators.evaluator import Traits
from neptune_nas.evaluators.table_costs import TableCosts, can_build, check_some, unknown_cost
from neptune_nas.evaluators.table_file import ONLY, Code, Row, code_of, read_rows
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.score import Score
from neptune_nas.space import Space
from neptune_nas.tasks.classification import Classification

T = TypeVar("T")

PREFIX = "table:"  # before the file of a table, where a study names it
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

Runs = tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Tabular(Generic[T]):
    """An `Evaluator` that looks networks up; the seed draws one of their training runs.

    `runs`: the scored metrics of each run, by code and fidelity. `costs`: what else the table
    says of a network, by code and name. A code says for each decision of the space which option
    is taken, -1 for none. A call at a fidelity that the table lacks gets the next lower one.
    """

    space: Space[T]
    runs: Mapping[Code, Mapping[int, Runs]]
    costs: Mapping[Code, Mapping[str, float]]
    source: str = "the table"

    @property
    def traits(self) -> Traits:
        """What a study has to know of the table."""
        return table_traits(self.source)

    @classmethod
    def from_file(cls, path: str | Path, space: Space[T]) -> "Tabular[T]":
        """Read a table of the networks of `space` (see `neptune_nas.evaluators.table_file`).

        Raises `FileFormatError` where the file is malformed, `DataError` where it is of another
        space.
        """
        rows = read_rows(Path(path), space)
        costs: dict[Code, dict[str, float]] = defaultdict(dict)
        for row in rows:
            costs[row.code].update(row.costs)
        return cls(space, _by_code(rows), dict(costs), str(path))

    def __call__(self, architecture: T, fidelity: int, seed: int) -> Score:
        """The score of run `seed` modulo their number.

        Raises `DataError` where the table lacks the network, or has it at higher fidelities only.
        """
        runs = self.runs[self.code(architecture)]
        within = [known for known in runs if known <= fidelity]
        if not within:
            raise DataError(
                f"{self.source} has no score at fidelity {fidelity}: the lowest is {min(runs)}."
            )
        drawn = runs[max(within)]
        return Score(fidelity, drawn[seed % len(drawn)], seed)

    def cost(self, architecture: T) -> Mapping[str, float]:
        """What the table says of a network beside its scores. Raises `DataError` if it lacks it."""
        return self.costs[self.code(architecture)]

    def mean(self, architecture: T) -> float:
        """Return the mean main score of all runs at the highest fidelity: a benchmark's truth."""
        runs = self.runs[self.code(architecture)]
        return fmean(next(iter(run.values())) for run in runs[max(runs)])

    def bench(self, asked: Asked, data_dir: str | Path | None = None) -> Bench:
        """Return what is known of the table, whose networks saw images such as `asked.data` has.

        A time that the table says of some networks is not measured of the others. Raises
        `OptionError` for rungs, seeds or objectives that the table has not of every network, and
        for a cost that is not in the table and cannot be counted, as its networks cannot be built.
        """
        check_rungs(self, asked.rungs)
        check_repeats(self, asked.repeats, asked.rungs[-1])
        check_scored(self, asked)
        shape, classes = image_facts(asked.data, data_dir)
        model = CostModel(shape, classes)
        costs = TableCosts(self, model if can_build(self, model) else None)
        for name in sorted(asked.costs):
            if name not in costs.names():
                raise unknown_cost(name, costs)
            check_some(name, costs)
        return Bench(
            evaluator=self,
            input_shape=shape,
            classes=classes,
            guess=Classification().chance(classes),
            fingerprint=sha256(Path(self.source).read_bytes()).hexdigest()[:16],
            images=NO_IMAGES,
            source=f"on {asked.data}" if costs.model else f"in {Path(self.source).name}",
            costs=costs,
            clocks={name: partial(costs.timed, name) for name in costs.timed_names},
            fidelities=common_fidelities(self),
            most_seeds=self.least_runs,
        )

    @property
    def highest(self) -> int:
        """The highest fidelity that it has of any network; 0 where it names none."""
        return max(fidelity for runs in self.runs.values() for fidelity in runs)

    def least_runs(self, fidelity: int) -> int:
        """How many training runs there are of every network up to a fidelity, at the least."""
        return min(
            len(runs[max(known for known in runs if known <= fidelity)])
            for runs in self.runs.values()
            if min(runs) <= fidelity
        )

    def code(self, architecture: T) -> Code:
        """The code of an architecture. Raises `DataError` where the table lacks it."""
        code = code_of(self.space, architecture)
        if code not in self.runs:
            raise DataError(
                f"{self.source} has no network {''.join(map(str, code))} ({architecture!r}): "
                f"search the space that it is a table of."
            )
        return code


def _by_code(rows: Iterable[Row]) -> dict[Code, dict[int, Runs]]:
    found: dict[Code, dict[int, Runs]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row.seed):
        earlier = found[row.code].get(row.fidelity, ())
        found[row.code][row.fidelity] = (*earlier, row.values)
    return dict(found)


def image_facts(data: str, data_dir: str | Path | None) -> tuple[Shape, int]:
    """The shape of a data set's images and its classes."""
    if data in IMAGES:
        return IMAGES[data]
    images = load_once(data, data_dir, 0)
    return images.input_shape, len(images.classes)


def fidelities(table: Tabular[Any]) -> tuple[int, ...]:
    """The fidelities that a table has of any network, rising; only 0 where it names none."""
    return tuple(sorted({fidelity for runs in table.runs.values() for fidelity in runs}))


def common_fidelities(table: Tabular[Any]) -> tuple[int, ...]:
    """The fidelities that a table has of every network, rising; there may be none.

    Only there are scores of one fidelity: elsewhere a network answers by its next lower one.
    """
    return tuple(sorted(frozenset.intersection(*map(frozenset, table.runs.values()))))


def check_scored(table: Tabular[Any], asked: Asked) -> None:
    """Refuse an objective that some score lacks which a search may look up at its rungs."""
    found = [
        run
        for runs in table.runs.values()
        for rung in asked.rungs
        for run in runs[max(known for known in runs if known <= rung)]
    ]
    for aim in asked.aims:
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


def table_traits(source: str | Path) -> Traits:
    """Return the traits of the table in a file, which needn't be read for them."""
    return Traits(name=f"{PREFIX}{source}", uses_device=False)


def table_in(name: str) -> Path | None:
    """Return the file of the table that an evaluator of this name is; None for any other."""
    return Path(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None

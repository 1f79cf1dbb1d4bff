"""Scores looked up in a table of trained networks, for a search without training."""

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
from neptune_nas.evaluators.bench import Bench, EvaluatorQuestion
from neptune_nas.evaluators.evaluator import Traits
from neptune_nas.evaluators.table_costs import TableCosts, can_build, check_some, unknown_cost
from neptune_nas.evaluators.table_file import ONLY, TableRow, read_table, rows_in
from neptune_nas.evaluators.table_networks import Code, code_of
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.score import Score
from neptune_nas.nn.builder import Shape
from neptune_nas.space import Space
from neptune_nas.tasks.classification import Classification
from neptune_nas.tasks.registry import task_of

T = TypeVar("T")

_PREFIX = "table:"  # prefix of a table's file in an evaluator's name
DATA = "cifar10"  # default data set of a table
_IMAGES: Mapping[str, tuple[Shape, int]] = {
    "digits": ((1, 8, 8), 10),
    "mnist": ((1, 28, 28), 10),
    "fashion-mnist": ((1, 28, 28), 10),
    "cifar10": ((3, 32, 32), 10),
    "cifar100": ((3, 32, 32), 100),
}
"""Image shape and number of classes by data set, which need not be installed."""

_NO_IMAGES = (0, 0, 0)
_SHOWN = 10  # at most, numbers listed in a message

_Runs = tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Tabular(Generic[T]):
    """An `Evaluator` that looks networks up in a table; the seed selects one of the training runs.

    `runs`: the scored metrics of each run, by code and fidelity. `costs`: the further columns of
    each network, by code and name. A code is the index of the option taken at each decision of the
    space, -1 for none. A call at a fidelity that the table lacks gets the next lower one.
    `fingerprint`: of the bytes that were read.
    """

    space: Space[T]
    runs: Mapping[Code, Mapping[int, _Runs]]
    costs: Mapping[Code, Mapping[str, float]]
    source: str = "the table"
    fingerprint: str = ""

    @property
    def traits(self) -> Traits:
        """The traits of the table."""
        return table_traits(self.source)

    @classmethod
    def from_file(cls, path: str | Path, space: Space[T]) -> "Tabular[T]":
        """Return the table in a file, for the networks of `space`.

        For the format see `neptune_nas.evaluators.table_file`. Raises `FileFormatError` where the
        file is malformed, and `DataError` where it is of another space.
        """
        content = read_table(Path(path))
        rows = rows_in(content, Path(path), space)
        costs: dict[Code, dict[str, float]] = defaultdict(dict)
        for row in rows:
            costs[row.code].update(row.costs)
        fingerprint = sha256(content).hexdigest()[:16]
        return cls(space, _by_code(rows), dict(costs), str(path), fingerprint)

    def __call__(self, architecture: T, fidelity: int, seed: int) -> Score:
        """Return the score of run number `seed` modulo the number of runs.

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
        """Return the further columns of a network; raises `DataError` if the table lacks it."""
        return self.costs[self.code(architecture)]

    def mean(self, architecture: T) -> float:
        """Return the mean main score of all runs at the highest fidelity, as the ground truth."""
        runs = self.runs[self.code(architecture)]
        return fmean(next(iter(run.values())) for run in runs[max(runs)])

    def bench(self, asked: EvaluatorQuestion, data_dir: str | Path | None = None) -> Bench:
        """Return the bench of the table, whose networks were trained on `asked.data`.

        A time that the table states for some networks is not measured for the others. Raises
        `OptionError` for rungs, seeds or objectives that the table lacks for some network, and for
        a cost that is neither in the table nor countable, since its networks cannot be built.
        """
        check_rungs(self, asked.rungs)
        _check_repeats(self, asked.repeats, asked.rungs[-1])
        check_scored(self, asked)
        shape, classes, guess = _image_facts(asked.data, data_dir)
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
            guess=guess,
            fingerprint=self.fingerprint,
            images=_NO_IMAGES,
            source=f"on {asked.data}" if costs.model else f"in {Path(self.source).name}",
            costs=costs,
            clocks={name: partial(costs.timed, name) for name in costs.timed_names},
            fidelities=common_fidelities(self),
            most_seeds=self.least_runs,
        )

    @property
    def highest(self) -> int:
        """The highest fidelity of any network; 0 where the table names none."""
        return max(fidelity for runs in self.runs.values() for fidelity in runs)

    def least_runs(self, fidelity: int) -> int:
        """Return the least number of training runs that any network has up to a fidelity."""
        return min(
            len(runs[max(known for known in runs if known <= fidelity)])
            for runs in self.runs.values()
            if min(runs) <= fidelity
        )

    def code(self, architecture: T) -> Code:
        """Return the code of an architecture; raises `DataError` where the table lacks it."""
        code = code_of(self.space, architecture)
        if code not in self.runs:
            raise DataError(
                f"{self.source} has no network {''.join(map(str, code))} ({architecture!r}): "
                f"search the space of this table."
            )
        return code


def _by_code(rows: Iterable[TableRow]) -> dict[Code, dict[int, _Runs]]:
    found: dict[Code, dict[int, _Runs]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row.seed):
        earlier = found[row.code].get(row.fidelity, ())
        found[row.code][row.fidelity] = (*earlier, row.values)
    return dict(found)


def _image_facts(data: str, data_dir: str | Path | None) -> tuple[Shape, int, Mapping[str, float]]:
    """Return the shape of a data set's images, the number of its classes, and chance."""
    if data in _IMAGES:
        shape, classes = _IMAGES[data]
        return shape, classes, Classification().chance(classes)
    images = load_once(data, data_dir, 0)
    classes = len(images.classes)
    return images.input_shape, classes, task_of(images).chance(classes, images.validation.targets)


def fidelities(table: Tabular[Any]) -> tuple[int, ...]:
    """Return the fidelities of all networks of a table, rising; only 0 where it names none."""
    return tuple(sorted({fidelity for runs in table.runs.values() for fidelity in runs}))


def common_fidelities(table: Tabular[Any]) -> tuple[int, ...]:
    """Return the fidelities that every network of a table has, rising; there may be none.

    Only at these do all scores have one fidelity: at others, a network may answer by a lower one.
    """
    return tuple(sorted(frozenset.intersection(*map(frozenset, table.runs.values()))))


def check_scored(table: Tabular[Any], asked: EvaluatorQuestion) -> None:
    """Refuse an objective that is missing from a score which a search may look up."""
    found = [
        run
        for runs in table.runs.values()
        for rung in asked.rungs
        for run in runs[max(known for known in runs if known <= rung)]
    ]
    for aim in asked.aims:
        if aim.is_scored and not all(aim.name in run for run in found):
            raise OptionError(
                f"{table.source} does not give the {aim.name} of every network: fill a column "
                f"`{aim.name}`, or leave it out of the objectives."
            )


def _check_repeats(table: Tabular[Any], repeats: int, last: int) -> None:
    """Refuse more seeds than a table has runs of each network at the last rung.

    With more seeds, one of its runs would count twice.
    """
    runs = table.least_runs(last)
    if repeats > runs:
        raise OptionError(
            f"`repeats` (--repeat-seeds) must be at most {runs}, the runs that {table.source} "
            f"has of every network, but got {repeats}."
        )


def check_rungs(table: Tabular[Any], rungs: tuple[int, ...]) -> None:
    """Refuse rungs that are not among the fidelities of a table."""
    name = "rungs" if len(rungs) > 1 else "`rungs` (--epochs)"
    lowest = max(min(runs) for runs in table.runs.values())
    if rungs[0] < max(lowest, 1):
        raise OptionError(
            f"{name} must begin at {max(lowest, 1)}, the lowest fidelity at which {table.source} "
            f"scores every network, but got {','.join(map(str, rungs))}."
        )
    if len(rungs) > 1 and fidelities(table) == (ONLY,):
        raise OptionError(
            f"rungs need a table with fidelities, but {table.source} has one for each network: "
            f"leave `rungs` (--rungs) out."
        )
    if fidelities(table) != (ONLY,) and (unknown := {*rungs} - {*fidelities(table)}):
        raise OptionError(
            f"{name} must be fidelities that {table.source} has of some network "
            f"({_number_list(fidelities(table))}), but it has none at "
            f"{_number_list(sorted(unknown))}."
        )


def _number_list(numbers: Sequence[int]) -> str:
    """Return rising numbers as text; of many only the first few and the last.

    >>> _number_list((1, 4)), _number_list(range(1, 91))
    ('1, 4', '1, 2, 3, 4, 5, 6, 7, 8, 9, ..., 90')
    """
    if len(numbers) <= _SHOWN:
        return ", ".join(map(str, numbers))
    return ", ".join(map(str, (*numbers[: _SHOWN - 1], "...", numbers[-1])))


def table_traits(source: str | Path) -> Traits:
    """Return the traits of the table in a file, without reading the file."""
    return Traits(name=f"{_PREFIX}{source}", uses_device=False)


def table_in(name: str) -> Path | None:
    """Return the file of a table evaluator with that name, or None for any other evaluator."""
    return Path(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else None

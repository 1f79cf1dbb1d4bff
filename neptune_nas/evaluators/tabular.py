"""Scores looked up in a table of trained networks: a search without training."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Generic, TypeVar

from neptune_nas.errors import DataError
from neptune_nas.evaluators.table_file import Code, Row, code_of, read_rows
from neptune_nas.metrics.score import Score
from neptune_nas.space import Space

T = TypeVar("T")

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

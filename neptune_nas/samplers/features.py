"""Architectures as numbers for a surrogate: picks, counts of each option, costs."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from neptune_nas.samplers.problem import Problem
from neptune_nas.space import Decision

T = TypeVar("T")

Floats = NDArray[np.float64]

_OWN_WEIGHTS = 64  # decisions beyond which corresponding places share a weight
_HALF = float(np.sqrt(0.5))
_LEAST = 1e-9  # a smaller deviation counts as constant


@dataclass(frozen=True, slots=True)
class Points:
    """Features of n architectures.

    `picks`: (n, d), a block of columns per decision. `counts`: (n, c), how often each option is
    taken in all decisions of one kind, in any place. `logs`: (n, k), logarithms of the costs. The
    last two are standardised.
    """

    picks: Floats
    counts: Floats
    logs: Floats

    def __len__(self) -> int:
        return len(self.picks)

    def __getitem__(self, rows: Any) -> "Points":
        return Points(self.picks[rows], self.counts[rows], self.logs[rows])


def join_points(parts: Sequence[Points]) -> Points:
    """Return all points of several sets, in order."""
    return Points(
        np.concatenate([part.picks for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.logs for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class _Block:
    """The columns of one decision.

    A number has two for its order: its rank (scaled to 1 from first to last) and whether it is
    taken. Numbers of three options and more but depths, and anything else, are one-hot too: some
    numbers are but names. The order and the options have weights of their own. By either, two
    options are at a squared distance of 1 at most, "not taken" is at about half.
    """

    decision: Decision
    start: int

    @property
    def is_number(self) -> bool:
        """True if the options have an order."""
        return all(type(option) in (int, float) for option in self.decision.options)

    @property
    def width(self) -> int:
        """The number of columns of the block."""
        return self.ordered + (len(self.decision.options) if self.has_options else 0)

    @property
    def ordered(self) -> int:
        """The number of columns, the first ones, that hold a number's order."""
        return 2 if self.is_number else 0

    @property
    def has_options(self) -> bool:
        """True if a column stands for each option; depths and two options only have an order."""
        options = self.decision.options
        return not self.is_number or (len(options) > 2 and not isinstance(options, range))

    def write(self, pick: Any, row: Floats) -> None:
        """Write a pick into a row of zeros."""
        options = self.decision.options
        k = options.index(pick)
        if self.is_number:
            row[self.start] = k / max(len(options) - 1, 1) - 0.5
            row[self.start + 1] = _HALF
        if self.has_options:
            row[self.start + self.ordered + k] = _HALF

    @property
    def kind(self) -> Hashable:
        """The kind, equal for decisions with the same options and, for numbers, the same field."""
        name = self.decision.path.rpartition(".")[2] if self.is_number else ""
        return tuple(self.decision.options), name


class Encoder(Generic[T]):
    """Encodes the architectures of one problem, standardised over a reference set of them.

    `groups`: the index of the weight of each column of `Points.picks`. `reference`: that set.
    """

    def __init__(self, problem: Problem[T], reference: Sequence[T]) -> None:
        self.problem = problem
        self.blocks = decision_blocks(problem.space.decisions)
        self.groups = groups(tuple(self.blocks.values()))
        self.tally = tally(tuple(self.blocks.values()))
        self.names = sorted({name for each in reference for name in problem.costs(each)})
        picks, costs = self._picks(reference), self._costs(reference)
        self.counts, self.logs = Scaler(picks @ self.tally), Scaler(costs)
        self.reference = self._points(picks, costs)

    def __call__(self, architectures: Sequence[T]) -> Points:
        """Return the features of some architectures."""
        return self._points(self._picks(architectures), self._costs(architectures))

    def _points(self, picks: Floats, costs: Floats) -> Points:
        return Points(picks, self.counts(picks @ self.tally), self.logs(costs))

    def _picks(self, architectures: Sequence[T]) -> Floats:
        rows = np.zeros((len(architectures), len(self.groups)))
        for row, architecture in zip(rows, architectures, strict=True):
            for path, pick in self.problem.space.picks(architecture).items():
                self.blocks[path].write(pick, row)
        return rows

    def _costs(self, architectures: Sequence[T]) -> Floats:
        costs = [
            [known.get(name, 0.0) for name in self.names]
            for known in map(self.problem.costs, architectures)
        ]
        table = np.array(costs, dtype=np.float64).reshape(len(costs), len(self.names))
        return np.log(np.maximum(table, _LEAST))


class Scaler:
    """Standardises columns by a reference set; drops columns that are constant or copies there."""

    def __init__(self, reference: Floats) -> None:
        self.mean, scale = reference.mean(axis=0), reference.std(axis=0)
        self.scale = np.maximum(scale, _LEAST)
        scaled = (reference - self.mean) / self.scale
        likeness = np.abs(scaled.T @ scaled) / max(len(reference), 1)
        copies = np.triu(likeness > 1 - 1e-6, k=1).any(axis=0)
        self.keep = np.flatnonzero((scale > _LEAST) & ~copies)

    def __call__(self, table: Floats) -> Floats:
        """Return the columns that vary, standardised."""
        scaled: Floats = ((table - self.mean) / self.scale)[:, self.keep]
        return scaled


def decision_blocks(decisions: Sequence[Decision]) -> dict[str, _Block]:
    """Return a block per decision, by path; their columns are side by side."""
    found: dict[str, _Block] = {}
    start = 0
    for decision in decisions:
        found[decision.path] = _Block(decision, start)
        start += found[decision.path].width
    return found


def groups(decision_blocks: Sequence[_Block]) -> NDArray[np.int64]:
    """Return the weight index of each column.

    There is one for each decision, or for each kind of place if there are many, and one more for
    the order of numbers.
    """
    own = len(decision_blocks) <= _OWN_WEIGHTS
    names = [
        (b.decision.path if own else re.sub(r"\d+", "*", b.decision.path), i < b.ordered)
        for b in decision_blocks
        for i in range(b.width)
    ]
    order = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names])


def tally(decision_blocks: Sequence[_Block]) -> Floats:
    """Return the (d, c) matrix that adds up the columns of decisions of one kind."""
    columns: dict[Hashable, int] = {}
    places = [
        columns.setdefault((block.kind, i), len(columns))
        for block in decision_blocks
        for i in range(block.width)
    ]
    matrix = np.zeros((len(places), len(columns)))
    matrix[np.arange(len(places)), places] = 1.0
    return matrix

"""Constraints on costs, read from text, and a survey of how much of a space obeys them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Generic, Literal, Protocol, TypeVar

from neptune_nas.errors import ArchitectureError, OptionError, one_of
from neptune_nas.metrics.registry import COST, COSTS, Metric, metric
from neptune_nas.space.space import wilson

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Op = Literal["<", "<="]

MULTIPLES: Mapping[str, Mapping[str, float]] = {
    "": {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9},
    "ms": {"": 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3},
    "bytes": {"": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30},
}
"""What a limit may be given in, by the unit of its metric."""
FORM = re.compile(
    r"\s*([a-z_]+)\s*(<=|<)\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE
)
COUNTED, MEASURED = 1_000, 50  # samples of a survey


@dataclass(frozen=True, slots=True)
class Constraint:
    """An upper limit on a cost, in its own unit: operations, numbers, or milliseconds."""

    name: str
    op: Op
    limit: float

    def holds(self, value: float) -> bool:
        """Whether a cost obeys the limit."""
        return value < self.limit if self.op == "<" else value <= self.limit

    def __str__(self) -> str:
        return f"{self.name} {self.op} {self.limit:,.10g} {self.metric.unit}".rstrip()

    @property
    def metric(self) -> Metric:
        """The metric that is limited."""
        return metric(self.name)


def is_timed(limit: Constraint) -> bool:
    """Return whether a limit is on what has to be measured."""
    return limit.metric.source == "timed"


def parse_constraint(text: str) -> Constraint:
    """Return a constraint from text, such as `flops<=20M` or `latency<5ms`.

    >>> parse_constraint("flops<=20M"), parse_constraint("latency < 0.5s").limit
    (Constraint(name='flops', op='<=', limit=20000000.0), 500.0)
    """
    match = FORM.fullmatch(text)
    if match is None:
        raise OptionError(
            f"constraint '{text}' must be a cost, < or <=, and a limit such as 20M, 1e6 or 5ms; "
            f"for example 'flops<=20M'."
        )
    name, op, number, unit = match.groups()
    names = [cost.name for cost in COSTS]
    if name.lower() not in names:
        raise OptionError(f"constraint '{text}' is on '{name}': {one_of(names, name.lower())}")
    units = MULTIPLES[metric(name.lower()).unit]
    if unit.lower() not in units:
        known = one_of(filter(None, units), unit.lower())
        raise OptionError(f"constraint '{text}' has a limit in '{unit}': {known}")
    limit = _number(number, text) * units[unit.lower()]
    return Constraint(name.lower(), "<" if op == "<" else "<=", limit)


def _number(number: str, text: str) -> float:
    try:
        return float(number)
    except ValueError as error:
        raise OptionError(
            f"constraint '{text}' needs a number as its limit, but got '{number}'."
        ) from error


class Sampled(Protocol[T_co]):
    """What a survey asks of a space."""

    @property
    def name(self) -> str:
        """For messages."""

    def sample(self, rng: Random, by: Literal["architecture", "choice"] = ...) -> T_co:
        """One architecture, uniform over all or at each choice."""


@dataclass(frozen=True, slots=True)
class Survey(Generic[T]):
    """How much of a space obeys constraints, from `samples` uniform architectures.

    `interval`: of the feasible share, 95% (Wilson, doi 10.1080/01621459.1927.10502953).
    `smallest`: the least value seen of each constrained cost. `example`: a feasible architecture.
    `unbuildable`: why the last one that has no cost at all has none.
    """

    space: str
    constraints: tuple[Constraint, ...]
    samples: int
    feasible: int
    smallest: dict[str, float]
    example: T | None
    unbuildable: str = ""

    @property
    def share(self) -> float:
        """The feasible share of the samples."""
        return self.feasible / self.samples

    @property
    def interval(self) -> tuple[float, float]:
        """What the feasible share of the space is, but for one time in twenty."""
        return wilson(self.feasible, self.samples)

    def require_example(self) -> T:
        """A feasible architecture; raises `OptionError` if none was seen."""
        if self.example is not None:
            return self.example
        wanted = " and ".join(map(str, self.constraints)) or "being buildable"
        seen = ", ".join(f"{name} {value:,.6g}" for name, value in self.smallest.items())
        raise OptionError(
            f"space '{self.space}': none of {self.samples:,} random architectures meets {wanted}, "
            f"so at most {self.interval[1]:.2%} of the space does; the smallest seen: "
            f"{seen or 'nothing, as ' + self.unbuildable}; loosen the constraints or take another "
            f"space."
        )


def survey(
    space: Sampled[T],
    value: Callable[[str, T], float],
    constraints: Sequence[Constraint],
    rng: Random,
    samples: int | None = None,
) -> Survey[T]:
    """What share of a space obeys all constraints; `value` gives the cost of a name.

    By default 1,000 samples, or 50 where latency has to be measured; it is measured last, where
    all other limits hold. If none of them is feasible, as many samples with each choice uniform,
    which are smaller, get a chance to be the example. An architecture whose cost cannot be counted
    (images too small for it) is not feasible; one that fails for the user's own code is an error.
    """
    ordered = tuple(sorted(constraints, key=is_timed))
    measured = any(map(is_timed, ordered))
    number = samples or (MEASURED if measured else COUNTED)
    seen: _Seen[T] = _Seen(value, ordered)
    drawn = (space.sample(rng) for _ in range(number))
    feasible = [architecture for architecture in drawn if seen.obeys(architecture)]
    smaller = (space.sample(rng, by="choice") for _ in range(0 if feasible else number))
    example = feasible[0] if feasible else next(filter(seen.obeys, smaller), None)
    return Survey(
        space.name, ordered, number, len(feasible), seen.smallest, example, seen.unbuildable
    )


@dataclass(slots=True)
class _Seen(Generic[T]):
    """The least value of each cost among the architectures asked about."""

    value: Callable[[str, T], float]
    constraints: tuple[Constraint, ...]
    smallest: dict[str, float] = field(init=False, default_factory=dict)
    unbuildable: str = field(init=False, default="")

    def obeys(self, architecture: T) -> bool:
        """Whether an architecture can be built and obeys all constraints."""
        try:
            self.value(COST.name, architecture)
        except ArchitectureError as error:
            self.unbuildable = str(error).rstrip(".")
            return False
        obeys = True
        for limit in self.constraints:
            if is_timed(limit) and not obeys:
                break
            cost = self.value(limit.name, architecture)
            self.smallest[limit.name] = min(cost, self.smallest.get(limit.name, cost))
            obeys = obeys and limit.holds(cost)
        return obeys

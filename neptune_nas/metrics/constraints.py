"""Upper limits on costs, parsed from text, and the share of a space that satisfies them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, nan
from random import Random
from typing import Generic, Literal, Protocol, TypeVar

from neptune_nas.errors import ArchitectureError, OptionError, one_of
from neptune_nas.files.schema import cut
from neptune_nas.metrics.registry import COST, COSTS, Metric, metric
from neptune_nas.space.space import wilson

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_Op = Literal["<", "<="]

_MULTIPLES: Mapping[str, Mapping[str, float]] = {
    "": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
    "ms": {"": 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3},
    "bytes": {
        "": 1.0,
        "bytes": 1.0,
        "kB": 1e3,
        "MB": 1e6,
        "GB": 1e9,
        "KiB": 2**10,
        "MiB": 2**20,
        "GiB": 2**30,
    },
}
"""Suffixes that a limit may carry, in any case, with their factors, by the unit of its metric."""
_FORM = re.compile(
    r"\s*([a-z_]+)\s*(<=|<)\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE
)
COUNTED, MEASURED = 1_000, 50  # default samples of a survey; timing is slow


@dataclass(frozen=True, slots=True)
class Constraint:
    """An upper limit on a cost, in the cost's own unit: a count, bytes or milliseconds."""

    name: str
    op: _Op
    limit: float

    def holds(self, value: float) -> bool:
        """Return whether a cost satisfies the limit."""
        return value < self.limit if self.op == "<" else value <= self.limit

    def __str__(self) -> str:
        return f"{self.name} {self.op} {self.limit:,.10g} {self.metric.unit}".rstrip()

    @property
    def metric(self) -> Metric:
        """The metric that is limited."""
        return metric(self.name)


def is_timed(limit: Constraint) -> bool:
    """Return whether a constraint limits a timed metric."""
    return limit.metric.source == "timed"


def parse_constraint(text: str) -> Constraint:
    """Return the constraint that a text states, such as `flops<=20M` or `latency<5ms`.

    Raises `OptionError` for a text that states none.

    >>> parse_constraint("flops<=20M"), parse_constraint("latency < 0.5s").limit
    (Constraint(name='flops', op='<=', limit=20000000.0), 500.0)
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise OptionError(
            f"constraint {cut(text)} must be a cost, < or <=, and a limit such as 20M, 1e6 or 5ms; "
            f"for example 'flops<=20M'."
        )
    name, op, number, unit = match.groups()
    names = [cost.name for cost in COSTS]
    if name.lower() not in names:
        raise OptionError(
            f"constraint {cut(text)} is on {cut(name)}: {one_of(names, name.lower())}"
        )
    units = _MULTIPLES[metric(name.lower()).unit]
    factors = {suffix.lower(): factor for suffix, factor in units.items()}
    if unit.lower() not in factors:
        known = one_of(filter(None, units), unit)
        raise OptionError(f"constraint {cut(text)} has a limit in {cut(unit)}: {known}")
    limit = _number(number, text) * factors[unit.lower()]
    return Constraint(name.lower(), "<" if op == "<" else "<=", limit)


def _number(number: str, text: str) -> float:
    try:
        limit = float(number)
    except ValueError:
        limit = nan
    if not isfinite(limit):
        large = ", which is too large" if limit == inf else ""
        raise OptionError(
            f"constraint {cut(text)} needs a number as its limit, but got {cut(number)}{large}."
        )
    return limit


class _Sampled(Protocol[T_co]):
    """The part of a space that a survey uses."""

    @property
    def name(self) -> str:
        """The name of the space, for messages."""

    def sample(self, rng: Random, by: Literal["architecture", "choice"] = ...) -> T_co:
        """Return a random architecture, uniform over all architectures or over each choice."""


@dataclass(frozen=True, slots=True)
class Survey(Generic[T]):
    """The share of a space that satisfies constraints, estimated from `samples` uniform samples.

    `interval`: 95% interval of the feasible share (Wilson, doi 10.1080/01621459.1927.10502953).
    `smallest`: the least value seen of each constrained cost. `example`: a feasible architecture.
    `unbuildable`: why the last architecture without any cost has none.
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
        """The 95% interval of the feasible share of the whole space."""
        return wilson(self.feasible, self.samples)

    def require_example(self) -> T:
        """Return a feasible architecture; raises `OptionError` if none was seen."""
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
    space: _Sampled[T],
    value: Callable[[str, T], float],
    constraints: Sequence[Constraint],
    rng: Random,
    samples: int | None = None,
) -> Survey[T]:
    """Estimate the share of a space that satisfies all constraints.

    `value` returns the cost of that name. `samples`: 1,000 by default, or 50 where latency has to
    be measured, which is done last and only where all other limits hold. If no sample is feasible,
    as many again are drawn uniformly at each choice; these are smaller, and one of them may become
    the example. An architecture whose cost cannot be counted (its images are too small) is
    infeasible; an error in the user's code is raised.
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
    """A record of the least value of each cost over the architectures checked so far."""

    value: Callable[[str, T], float]
    constraints: tuple[Constraint, ...]
    smallest: dict[str, float] = field(init=False, default_factory=dict)
    unbuildable: str = field(init=False, default="")

    def obeys(self, architecture: T) -> bool:
        """Return whether an architecture can be built and satisfies all constraints."""
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

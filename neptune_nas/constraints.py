"""Constraints on costs, read from text, and a survey of how much of a space obeys them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, Literal, Protocol, TypeVar

from neptune_nas.errors import NeptuneError, OptionError, one_of
from neptune_nas.space.space import wilson
from neptune_nas.trial import Cost

T = TypeVar("T")
Op = Literal["<", "<="]

NAMES = ("flops", "macs", "params", "activations", "latency")
COUNTS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
MILLISECONDS = {"": 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3}
FORM = re.compile(r"\s*([a-z_]+)\s*(<=|<)\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)
SAMPLES = 1_000


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
        unit = " ms" if self.name == "latency" else ""
        return f"{self.name}{self.op}{self.limit:,.10g}{unit}"


def parse_constraint(text: str) -> Constraint:
    """A constraint from text; k, M and G count in thousands, latency in us, ms (default) or s.

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
    if name.lower() not in NAMES:
        raise OptionError(f"constraint '{text}' is on '{name}': {one_of(NAMES, name.lower())}")
    units = MILLISECONDS if name.lower() == "latency" else COUNTS
    if unit.lower() not in units:
        raise OptionError(f"constraint '{text}' has unit '{unit}': {one_of(filter(None, units), unit)}")
    return Constraint(name.lower(), "<" if op == "<" else "<=", _number(number, text) * units[unit.lower()])


def _number(number: str, text: str) -> float:
    try:
        return float(number)
    except ValueError as error:
        raise OptionError(
            f"constraint '{text}' needs a number as its limit, but got '{number}'."
        ) from error


def value_of(name: str, cost: Cost, latency: float | None = None) -> float | None:
    """The cost of that name; None for a latency (ms) that was not measured."""
    match name:
        case "flops":
            return cost.flops
        case "macs":
            return cost.macs
        case "params":
            return cost.params
        case "activations":
            return cost.activations
    return latency


def broken(
    constraints: Sequence[Constraint], cost: Cost, latency: float | None = None
) -> tuple[Constraint, ...]:
    """The constraints that these costs break; one on an unknown latency is not asked."""
    values = {c: value_of(c.name, cost, latency) for c in constraints}
    return tuple(c for c, value in values.items() if value is not None and not c.holds(value))


class Samples(Protocol[T]):  # type: ignore[misc]  # T only comes out, but Space is not covariant
    """What a survey asks of a space."""

    @property
    def name(self) -> str:
        """For messages."""

    def sample(self, rng: Random) -> T:
        """One architecture, uniform over all."""


@dataclass(frozen=True, slots=True)
class Survey(Generic[T]):
    """How much of a space obeys constraints, from uniform samples.

    `interval`: of the feasible share, 95% (Wilson, doi 10.1080/01621459.1927.10502953).
    `smallest`: the least value seen of each constrained cost. `example`: a feasible architecture.
    """

    samples: int
    feasible: int
    interval: tuple[float, float]
    smallest: dict[str, float]
    example: T | None

    @property
    def share(self) -> float:
        """The feasible share of the samples."""
        return self.feasible / self.samples

"""Upper limits on costs, parsed from text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import Literal

from neptune_nas.errors import OptionError, one_of
from neptune_nas.files.schema import cut
from neptune_nas.metrics.registry import COSTS, Metric, metric

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
"""Suffixes of a limit, upper or lower case, with their factors, by the unit of its metric."""
_FORM = re.compile(
    r"\s*([a-z_]+)\s*(<=|<)\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE
)


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
        return f"{self.name} {self.op} {self._limit_text()}"

    def text(self, value: float) -> str:
        """Return a value of the metric, to be said beside the limit."""
        return self.metric.text(value) if self.metric.unit == "bytes" else f"{value:,.10g}"

    def _limit_text(self) -> str:
        """Return the limit with its unit: of several that say it exactly, in the shortest way."""
        unit = self.metric.unit
        exact = f"{self.limit:,.10g} {unit}".rstrip()
        if unit != "bytes":
            return exact
        amounts = {
            name: f"{self.limit / size:.6g}"
            for name, size in _MULTIPLES[unit].items()
            if name and size <= self.limit
        }
        texts = (
            f"{float(amount):,.6g} {name}"
            for name, amount in amounts.items()
            if "e" not in amount and float(amount) * _MULTIPLES[unit][name] == self.limit
        )
        return min(texts, key=len, default=exact)

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

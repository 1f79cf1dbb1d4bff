"""The measurement of one architecture by an evaluator, and its JSON form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite, nan
from statistics import fmean
from typing import Annotated, Any

from neptune_nas.errors import FileFormatError
from neptune_nas.files.rules import Count, Number, Share, at_least
from neptune_nas.files.schema import Readers, check_names, check_value, decode, fault
from neptune_nas.metrics.registry import BY_NAME, COST, COSTS, MACS, Metric

_Time = Annotated[Number, at_least(0)]


@dataclass(frozen=True, slots=True)
class Score:
    """A measurement at one fidelity; if it failed, `failure` says why.

    `values`: by metric name, the main metric first, of which more is better. `seconds`: wall clock
    of the evaluation. `images_per_second`: training images (0 if none). `peak_memory`: bytes (0 if
    not measured). `started`: Unix time. `worker`: the index of the worker. `proxy`: the value of a
    zero-cost proxy, measured in place of `values`, which are then empty. `trace`: the traceback of
    the exception behind a failure, which `score_to_json` leaves out.
    """

    fidelity: int
    values: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    peak_memory: int = 0
    started: float = 0.0
    worker: int = 0
    failure: str | None = None
    proxy: float | None = None
    trace: str | None = field(default=None, compare=False)

    @property
    def main(self) -> float:
        """The value of the first metric, of which more is better; NaN without values."""
        return next(iter(self.values.values()), nan)

    @property
    def rank_value(self) -> float:
        """The number to rank by, more is better: the proxy if there is one, else `main`."""
        return self.main if self.proxy is None else self.proxy

    @property
    def ok(self) -> bool:
        """True if there is a number to rank by."""
        return self.failure is None and isfinite(self.rank_value)


def mean_score(scores: Sequence[Score]) -> Score | None:
    """Return the first of the scores with the mean of each value, or None if there are none."""
    if len(scores) < 2:
        return scores[0] if scores else None
    names = [name for name in scores[0].values if all(name in each.values for each in scores)]
    means = {name: fmean(each.values[name] for each in scores) for name in names}
    return replace(scores[0], values=means)


def score_to_json(score: Score) -> dict[str, Any]:
    """Return a score as JSON, without its trace; values that are not finite become None."""
    content = {name: value for name, value in asdict(score).items() if name != "trace"}
    content = {name: _finite(value) for name, value in content.items()}
    return content | {"values": {name: _finite(value) for name, value in score.values.items()}}


def score_from_json(data: Mapping[str, Any]) -> Score:
    """Return the score that `score_to_json` wrote, without checking its fields."""
    values = {n: _unknown(n) if v is None else float(v) for n, v in data["values"].items()}
    return Score(**{**data, "values": values})


@dataclass(frozen=True, slots=True)
class ScoreFields:
    """The fields of a score in JSON."""

    fidelity: Count
    values: dict[str, Number | None]
    seed: Count = 0
    seconds: Number = 0.0
    images_per_second: Number = 0.0
    peak_memory: Count = 0
    started: Number = 0.0
    worker: Count = 0
    failure: str | None = None
    proxy: Number | None = None


def score_in(data: Mapping[str, Any], path: str) -> Score:
    """Return the score that `score_to_json` wrote; `path`: its place in the file, for messages.

    Raises `FileFormatError` for a field that breaks its rule.
    """
    for name, value in decode(ScoreFields, data, path).values.items():
        if name in BY_NAME and BY_NAME[name].unit == "share":
            check_value(value, Share | None, f"{path}.values.{name}", FileFormatError)
    return score_from_json(data)


READERS: Readers = {Score: score_in}
"""The function with which `decode` reads scores."""


def costs_in(data: Mapping[str, Any], path: str, needed: Iterable[Metric] = ()) -> dict[str, float]:
    """Return the costs in a JSON object by metric, each a number of at least 0.

    `needed`: the metrics that must be present. Raises `FileFormatError` for a name that is not a
    cost, a value that is out of range, or FLOPs that are not twice the MACs.
    """
    hints = {cost.name: Count if cost.source == "counted" else _Time for cost in COSTS}
    check_names(data, hints, (cost.name for cost in needed), path)
    for name, value in data.items():
        check_value(value, hints[name], f"{path}.{name}", FileFormatError)
    flops = 2 * data[MACS.name] if MACS.name in data else None
    if flops is not None and data.get(COST.name, flops) != flops:
        by_hand = "the file was changed by hand"
        raise FileFormatError(fault(f"{path}.{COST.name}", str(flops), data[COST.name], by_hand))
    return dict(data)


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not isfinite(value) else value


def _unknown(name: str) -> float:
    """Return the value that null stands for: infinity if that is the worst value, else NaN."""
    return inf if name in BY_NAME and BY_NAME[name].better == "less" else nan

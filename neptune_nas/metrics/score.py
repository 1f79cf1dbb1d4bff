"""What an evaluator measured of one architecture, and its form in JSON."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite, nan
from statistics import fmean
from typing import Any

from neptune_nas.errors import FileFormatError
from neptune_nas.files.schema import COUNT, NUMBER, OBJECT, SHARE, TEXT, Rule, check_fields
from neptune_nas.metrics.registry import BY_NAME, COST, COSTS, MACS, Metric

FIELDS: Mapping[str, Rule] = {
    "fidelity": COUNT,
    "values": OBJECT,
    "seed": COUNT,
    "seconds": NUMBER,
    "images_per_second": NUMBER,
    "peak_memory": COUNT,
    "started": NUMBER,
    "worker": COUNT,
    "failure": TEXT.or_null,
    "proxy": NUMBER.or_null,
}
NEEDED = ("fidelity", "values")
TIME = Rule("a number of at least 0", lambda value: NUMBER.holds(value) and value >= 0)  # type: ignore[operator]  # a number, by the first half


@dataclass(frozen=True, slots=True)
class Score:
    """What an evaluator measured at one fidelity; a failed measurement says why in `failure`.

    `values`: by the name of the metric, the main one first, of which more is better. `seconds`:
    wall clock of the evaluation. `images_per_second`: training images (0 if none). `peak_memory`:
    bytes (0 if not measured). `started`: Unix time. `worker`: which one ran it. `proxy`: what a
    zero-cost proxy measured in place of `values`, which are then empty. `trace`: the traceback of
    the exception behind a failure, which no JSON of a score holds.
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
        """The value of the first metric, of which more is better; NaN without any."""
        return next(iter(self.values.values()), nan)

    @property
    def rank_value(self) -> float:
        """The number to rank by, more is better: the proxy where there is one, or `main`."""
        return self.main if self.proxy is None else self.proxy

    @property
    def ok(self) -> bool:
        """Whether there is a number to rank by."""
        return self.failure is None and isfinite(self.rank_value)


def mean_score(scores: Sequence[Score]) -> Score | None:
    """Return the first of some scores with the mean of each value; None without any."""
    if len(scores) < 2:
        return scores[0] if scores else None
    names = [name for name in scores[0].values if all(name in each.values for each in scores)]
    means = {name: fmean(each.values[name] for each in scores) for name in names}
    return replace(scores[0], values=means)


def score_to_json(score: Score) -> dict[str, Any]:
    """Return a score as JSON, where what is not finite becomes None; without its trace."""
    content = {name: value for name, value in asdict(score).items() if name != "trace"}
    content = {name: _finite(value) for name, value in content.items()}
    return content | {"values": {name: _finite(value) for name, value in score.values.items()}}


def score_from_json(data: Mapping[str, Any]) -> Score:
    """Return the score that `score_to_json` wrote; its fields are not checked."""
    values = {n: _unknown(n) if v is None else float(v) for n, v in data["values"].items()}
    return Score(**{**data, "values": values})


def score_in(data: object, path: str) -> Score:
    """Return the same with its fields checked; `path` stands before a field's name in messages.

    Raises `FileFormatError` for a field that breaks its rule.
    """
    content = check_fields(data, FIELDS, path, NEEDED)
    rules = {name: _value_rule(name) for name in content["values"]}
    check_fields(content["values"], rules, f"{path}values.")
    return score_from_json(content)


def scores_in(data: Iterable[object], path: str) -> tuple[Score, ...]:
    """Return the scores of a list, each by its place in it."""
    return tuple(score_in(each, f"{path}{i}.") for i, each in enumerate(data))


def costs_in(data: object, path: str, needed: Iterable[Metric] = ()) -> dict[str, float]:
    """Return the costs by metric of a JSON object, each a number of at least 0.

    `needed`: those that must be there. Raises `FileFormatError` for a name that is no cost's, a
    value that is none, or FLOPs that are not two a MAC.
    """
    rules = {cost.name: COUNT if cost.source == "counted" else TIME for cost in COSTS}
    names = [cost.name for cost in needed]
    costs: dict[str, float] = check_fields(data, rules, path, names)
    flops = 2 * costs[MACS.name] if MACS.name in costs else None
    if flops is not None and costs.get(COST.name, flops) != flops:
        raise FileFormatError(
            f"`{path}{COST.name}` must be {flops}, but got {costs[COST.name]}: the file was "
            f"changed by hand."
        )
    return costs


def _value_rule(name: str) -> Rule:
    is_share = name in BY_NAME and BY_NAME[name].unit == "share"
    return (SHARE if is_share else NUMBER).or_null


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not isfinite(value) else value


def _unknown(name: str) -> float:
    """Return what stands for null in JSON: infinity where that is the worst value, else NaN."""
    return inf if name in BY_NAME and BY_NAME[name].better == "less" else nan

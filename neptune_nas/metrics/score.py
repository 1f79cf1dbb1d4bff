"""The measurement of one architecture by an evaluator, and its JSON form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from math import inf, isfinite, nan
from statistics import fmean
from typing import Annotated, Any, get_type_hints

from neptune_nas.errors import FileFormatError
from neptune_nas.files.rules import Count, Number, Predicate, Share, at_least, below, predicate_for
from neptune_nas.files.schema import Readers, check_names, check_value, decode, fault
from neptune_nas.metrics.registry import BY_NAME, COST, COSTS, MACS, Metric
from neptune_nas.text import redact

_Time = Annotated[Number, at_least(0)]
_Seconds = Annotated[Number, at_least(0), below(1e11)]  # well within Python's dates


@dataclass(frozen=True, slots=True)
class Score:
    """A measurement at one fidelity; if it failed, `failure` says why.

    `values`: by metric name, the main metric first, of which more is better. `seconds`: wall clock
    of the evaluation. `images_per_second`: training images (0 if none). `peak_memory`: bytes (0 if
    not measured). `started`: Unix time. `worker`: the index of the worker. `proxy`: the value of a
    zero-cost proxy, measured in place of `values`, which are then empty. `rule`: the rule behind a
    failure, if the evaluator broke one, without the value that broke it. `trace`: the traceback of
    the exception behind a failure, which `score_to_json` leaves out. No password of a URL stays in
    these three. `inherited`: the share of the parameters inherited from a trained model; None where
    all were fresh.
    """

    fidelity: int
    values: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    seconds: _Time = 0.0
    images_per_second: _Time = 0.0
    peak_memory: Annotated[Count, below(2**63)] = 0
    started: Number = 0.0
    worker: int = 0
    failure: str | None = None
    proxy: float | None = None
    rule: str | None = None
    inherited: Share | None = None
    trace: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in (
            "failure",
            "rule",
            "trace",
        ):  # may have the URL of a server, from a user's code
            text = getattr(self, name)
            if isinstance(text, str) and "://" in text:
                object.__setattr__(self, name, redact(text))

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
    """Return a score as JSON, without its trace; values that are not finite become None.

    Fields that only some scores have are left out of others.
    """
    left_out = ("trace", *(name for name in _RARE if getattr(score, name) is None))
    content = {name: value for name, value in asdict(score).items() if name not in left_out}
    content = {name: _finite(value) for name, value in content.items()}
    return content | {"values": {name: _finite(value) for name, value in score.values.items()}}


def score_from_json(data: Mapping[str, Any]) -> Score:
    """Return the score that `score_to_json` wrote, without checking its fields.

    A time that is null, as it was not finite, becomes 0: unknown.
    """
    values = {n: _unknown(n) if v is None else float(v) for n, v in data["values"].items()}
    times = {name: data.get(name) or 0.0 for name in _TIMES}
    return Score(**{**data, **times, "values": values})


@dataclass(frozen=True, slots=True)
class ScoreFields:
    """The fields of a score in JSON; a time that was not finite is null."""

    fidelity: Count
    values: dict[str, Number | None]
    seed: Count = 0
    seconds: _Seconds | None = 0.0
    images_per_second: _Seconds | None = 0.0
    peak_memory: Count = 0
    started: _Seconds | None = 0.0
    worker: Count = 0
    failure: str | None = None
    proxy: Number | None = None
    rule: str | None = None
    inherited: Share | None = None


def score_in(data: Mapping[str, Any], path: str) -> Score:
    """Return the score that `score_to_json` wrote; `path`: its place in the file, for messages.

    Raises `FileFormatError` for a field that breaks its rule.
    """
    if not _is_plain(data):  # plain fields, the usual case, need no decoding
        decode(ScoreFields, data, path)
    _check_sizes(data, path)
    for name, value in data["values"].items():
        if name in BY_NAME and BY_NAME[name].unit == "share":
            check_value(value, Share | None, f"{path}.values.{name}", FileFormatError)
    return score_from_json(data)


def _is_plain(data: object) -> bool:
    """Return whether a value has the fields that all scores have, and each is valid."""
    tests = _field_tests()
    return (
        isinstance(data, dict)
        and data.keys() == tests.keys()
        and all(test is None or test(data[name]) for name, test in tests.items())
    )


@cache
def _field_tests() -> dict[str, Predicate | None]:
    hints = get_type_hints(ScoreFields, include_extras=True)
    return {name: predicate_for(hint) for name, hint in hints.items() if name not in _RARE}


_RARE = ("rule", "inherited")
_TIMES = ("seconds", "images_per_second", "started")

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
    _check_sizes(data, path)
    flops = 2 * data[MACS.name] if MACS.name in data else None
    if flops is not None and data.get(COST.name, flops) != flops:
        by_hand = "the file was changed by hand"
        raise FileFormatError(fault(f"{path}.{COST.name}", str(flops), data[COST.name], by_hand))
    return dict(data)


def _check_sizes(data: Mapping[str, Any], path: str) -> None:
    """Refuse a whole number that is too large to be a count, or to be exact as a float."""
    for name, value in data.items():
        if isinstance(value, int) and value >= 2**63:
            raise FileFormatError(fault(f"{path}.{name}", "a number below 2**63", value))


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not isfinite(value) else value


def _unknown(name: str) -> float:
    """Return the value that null stands for: infinity if that is the worst value, else NaN."""
    return inf if name in BY_NAME and BY_NAME[name].better == "less" else nan

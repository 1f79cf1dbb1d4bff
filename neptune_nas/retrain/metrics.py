"""The results of a full training by seed, written to and read from `metrics.json`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal, get_args

from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file
from neptune_nas.files.documents import parse_json, versioned
from neptune_nas.files.rules import Count, Number, Share, Size, Threads
from neptune_nas.files.schema import check_names, check_value, decode, encode, fault, located
from neptune_nas.metrics.registry import BY_NAME, COST, INT8, METRICS, PARAMS, metric
from neptune_nas.metrics.score import costs_in
from neptune_nas.retrain.terms import Terms
from neptune_nas.training.resumable_loop import Kind

SplitName = Literal["validation", "test"]

FORMAT = "neptune-nas/metrics"
VERSION = 1
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
_PREFIXES = tuple(f"{split}_" for split in SPLITS)


@dataclass(frozen=True, slots=True)
class SeedMetrics:
    """The result of one seed.

    `epoch`, `weights`: the epoch and kind of the kept weights, the best on the validation split.
    `validation`, `test`: their values on these splits, by metric, in the order of the task: the
    main one first. `seconds`: training, without measuring. `test_read`: when the test split was
    read for this seed, the first and only time (ISO 8601, UTC). `device`, `hardware`, `versions`,
    torch's `threads`: those of the command that read it.
    """

    seed: Count
    epoch: Size
    weights: Kind
    validation: Mapping[str, float]
    test: Mapping[str, float]
    seconds: Number
    test_read: str
    device: str
    hardware: str
    versions: dict[str, str]
    threads: Threads | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation over seeds; the latter is None for a single seed."""

    mean: float
    sd: float | None

    def __str__(self) -> str:
        return f"{self.mean:.4f}" if self.sd is None else f"{self.mean:.4f} ± {self.sd:.4f}"


@dataclass(frozen=True, slots=True)
class Metrics:
    """The terms of a training, the cost of its network, and the results of its seeds in order.

    `teacher_seconds`: how long its teacher's outputs took to compute, once for all seeds.
    """

    terms: Terms
    costs: Mapping[str, float]
    seeds: tuple[SeedMetrics, ...]
    teacher_seconds: Number = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the metrics that were measured, the main one first."""
        return tuple(self.seeds[0].test)

    @property
    def best(self) -> SeedMetrics:
        """The seed that is best on the validation split, in int8 if that was measured."""

        def losses(seed: SeedMetrics) -> list[float]:
            names = sorted(seed.validation, key=lambda name: BY_NAME[name] not in INT8)
            return [metric(name).turn * seed.validation[name] for name in names]

        return min(self.seeds, key=losses)

    def spread(self, split: SplitName, name: str) -> Spread:
        """Return the mean and standard deviation over seeds of a metric on a split."""
        values = [getattr(seed, split)[name] for seed in self.seeds]
        return Spread(fmean(values), stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of the file, whose summary of means and deviations follows from its seeds."""

    terms: Terms
    costs: dict[str, Any]
    summary: dict[str, Any]
    seeds: tuple[dict[str, Any], ...]
    teacher_seconds: Number = 0.0


def dumps(metrics: Metrics) -> str:
    """Return the results as JSON text, with means and deviations."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "terms": encode(metrics.terms),
        "costs": dict(metrics.costs),
        **({"teacher_seconds": taught} if (taught := metrics.teacher_seconds) else {}),
        "summary": _summary_of(metrics),
        "seeds": [_seed_to_json(seed) for seed in metrics.seeds],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _summary_of(metrics: Metrics) -> dict[str, Any]:
    """Return the number of seeds, and the means and deviations over them, as JSON."""
    spreads = {
        f"{split}_{name}": encode(metrics.spread(split, name))
        for split in SPLITS
        for name in metrics.names
    }
    return {"seeds": len(metrics.seeds), **spreads}


def _round_numbers(value: Any) -> Any:
    """Return a value of JSON with its numbers to 9 digits, as later ones may differ."""
    if isinstance(value, Mapping):
        return {name: _round_numbers(item) for name, item in value.items()}
    return f"{value:.9g}" if type(value) in (int, float) else value


def _seed_to_json(seed: SeedMetrics) -> dict[str, Any]:
    """Return the JSON object of a seed, with its values at the top level."""
    content: dict[str, Any] = {}
    for name, value in encode(seed).items():
        if name in SPLITS:
            content |= {f"{name}_{metric}": number for metric, number in value.items()}
        else:
            content[name] = value
    return content


def load_metrics(path: str | Path) -> Metrics:
    """Return the results in a file written by `dumps`.

    Raises `FileFormatError`, naming the field, for a file that is missing or malformed.
    """
    text = read_file(Path(path))
    with located(path):
        content = decode(_Content, versioned(parse_json(text), VERSION, FORMAT))
        names = metrics_in(content.seeds)
        seeds = (_seed_in(seed, f"seeds.{i}", names) for i, seed in enumerate(content.seeds))
        costs = costs_in(content.costs, "costs", (COST, PARAMS))
        metrics = Metrics(content.terms, costs, tuple(seeds), content.teacher_seconds)
        got, wanted = content.summary, _summary_of(metrics)
        check_names(got, wanted, wanted, "summary")
        for name, value in wanted.items():
            if _round_numbers(got[name]) != _round_numbers(value):
                by_hand = "the file was changed by hand"
                raise FileFormatError(fault(f"summary.{name}", str(value), got[name], by_hand))
        return metrics


def _seed_in(data: Mapping[str, Any], path: str, names: Sequence[str]) -> SeedMetrics:
    """Return a seed in JSON that has the metrics of these `names`."""
    check_names(data, data, (f"{split}_{name}" for split in SPLITS for name in names), path)
    content = dict(data)
    values: dict[str, dict[str, float]] = {split: {} for split in SPLITS}
    for split in SPLITS:
        for name in names:
            hint = Share if metric(name).unit == "share" else Number
            field = f"{split}_{name}"
            check_value(content[field], hint, f"{path}.{field}", FileFormatError)
            values[split][name] = float(content.pop(field))
    return decode(SeedMetrics, {**content, **values}, path)


def metrics_in(seeds: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names of the metrics in the seeds' JSON objects, in their order.

    Raises `FileFormatError` where there are none.
    """
    fields = [field for seed in seeds for field in seed]
    found = [field.partition("_")[2] for field in fields if field.startswith(_PREFIXES)]
    names = tuple(name for name in dict.fromkeys(found) if name in BY_NAME)
    if not names:
        raise FileFormatError(
            f"`seeds` must hold values of a metric, such as `{_PREFIXES[1]}{METRICS[0].name}`."
        )
    return names

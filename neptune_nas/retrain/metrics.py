"""What a full training measured, seed by seed, as `metrics.json` and back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal, get_args

from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file
from neptune_nas.files.schema import (
    COUNT,
    LIST,
    NUMBER,
    OBJECT,
    SHARE,
    SIZE,
    TEXT,
    Rule,
    check_document,
    check_fields,
    parse,
)
from neptune_nas.metrics.registry import BY_NAME, COST, METRICS, PARAMS, metric
from neptune_nas.metrics.score import costs_in
from neptune_nas.retrain.terms import Terms, terms_in
from neptune_nas.training.resumable_loop import Kind

SplitName = Literal["validation", "test"]

FORMAT = "neptune-nas/metrics"
VERSION = 1
NEEDED: Mapping[str, Rule] = {
    "format": TEXT,
    "version": SIZE,
    "terms": OBJECT,
    "costs": OBJECT,
    "summary": OBJECT,
    "seeds": LIST,
}
MACHINE: Mapping[str, Rule] = {"device": TEXT, "hardware": TEXT, "versions": OBJECT}
FIELDS = {**NEEDED, **MACHINE}  # older files name one machine for all seeds
SEED: Mapping[str, Rule] = {
    "seed": COUNT,
    "epoch": SIZE,
    "weights": Rule("raw or ema", lambda value: value in get_args(Kind)),
    "seconds": NUMBER,
    "test_read": TEXT,
    **MACHINE,
}
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
_PREFIXES = tuple(f"{split}_" for split in SPLITS)


@dataclass(frozen=True, slots=True)
class SeedMetrics:
    """What became of one seed.

    `epoch`, `weights`: when, and which of the two kinds, the kept weights were best on the
    validation split. `validation`, `test`: their values on these splits, by metric, in the order of
    the task: the main one first. `seconds`: training, without measuring. `test_read`: the moment at
    which the test split was read for this seed, for the first and only time (ISO 8601, UTC).
    `device`, `hardware`, `versions`: of the command that read it.
    """

    seed: int
    epoch: int
    weights: Kind
    validation: Mapping[str, float]
    test: Mapping[str, float]
    seconds: float
    test_read: str
    device: str
    hardware: str
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean over seeds, and the standard deviation of one seed; None where there is but one."""

    mean: float
    sd: float | None

    def __str__(self) -> str:
        return f"{self.mean:.4f}" if self.sd is None else f"{self.mean:.4f} ± {self.sd:.4f}"


@dataclass(frozen=True, slots=True)
class Metrics:
    """A training's terms, its network's cost, and its seeds in their order."""

    terms: Terms
    costs: Mapping[str, float]
    seeds: tuple[SeedMetrics, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the metrics that were measured, the main one first."""
        return tuple(self.seeds[0].test)

    def spread(self, split: SplitName, name: str) -> Spread:
        """Return mean and standard deviation over seeds of a metric on a split."""
        values = [getattr(seed, split)[name] for seed in self.seeds]
        return Spread(fmean(values), stdev(values) if len(values) > 1 else None)


def dumps(metrics: Metrics) -> str:
    """The JSON text of what was measured, with its means and deviations."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "terms": asdict(metrics.terms),
        "costs": dict(metrics.costs),
        "summary": {
            "seeds": len(metrics.seeds),
            **{
                f"{split}_{name}": asdict(metrics.spread(split, name))
                for split in SPLITS
                for name in metrics.names
            },
        },
        "seeds": [_seed_to_json(seed) for seed in metrics.seeds],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _seed_to_json(seed: SeedMetrics) -> dict[str, Any]:
    """Return the JSON object of a seed, its values side by side."""
    content: dict[str, Any] = {}
    for name, value in asdict(seed).items():
        if name in SPLITS:
            content |= {f"{name}_{metric}": number for metric, number in value.items()}
        else:
            content[name] = value
    return content


def load_metrics(path: str | Path) -> Metrics:
    """What `dumps` wrote to a file.

    Raises `FileFormatError`, naming the field, for a file that is missing or malformed.
    """
    text = read_file(Path(path))
    try:
        return decoded(check_document(parse(text), FORMAT, VERSION, FIELDS, NEEDED))
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from error


def decoded(content: Mapping[str, Any]) -> Metrics:
    """The metrics in a JSON object; the means and deviations are worked out again."""
    machine = {name: content[name] for name in MACHINE if name in content}
    names = metrics_in(content["seeds"])
    return Metrics(
        terms=terms_in(content["terms"], "terms."),
        costs=costs_in(content["costs"], "costs.", (COST, PARAMS)),
        seeds=tuple(
            seed_in(seed, f"seeds.{i}.", machine, names) for i, seed in enumerate(content["seeds"])
        ),
    )


def seed_in(
    data: object, path: str, machine: Mapping[str, Any], names: Sequence[str]
) -> SeedMetrics:
    """Return a seed in JSON that has the metrics of these `names`.

    `machine`: what an older file says of the machine for all seeds.
    """
    rules: dict[str, Rule] = {
        f"{split}_{name}": SHARE if metric(name).unit == "share" else NUMBER
        for split in SPLITS
        for name in names
    }
    needed = [name for name in (*SEED, *rules) if name not in machine]
    content = check_fields(data, {**SEED, **rules}, path, needed)
    values: dict[str, Any] = {
        split: {name: content[f"{split}_{name}"] for name in names} for split in SPLITS
    }
    others = {name: value for name, value in content.items() if name not in rules}
    return SeedMetrics(**{**machine, **others, **values})


def metrics_in(seeds: Iterable[object]) -> tuple[str, ...]:
    """Return the names of the metrics that seeds in JSON have of either split, in their order.

    Raises `FileFormatError` where there are none.
    """
    fields = [field for seed in seeds if isinstance(seed, dict) for field in seed]
    found = [field.partition("_")[2] for field in fields if field.startswith(_PREFIXES)]
    names = tuple(name for name in dict.fromkeys(found) if name in BY_NAME)
    if fields and not names:
        raise FileFormatError(
            f"`seeds` must hold values of a metric, such as `{_PREFIXES[1]}{METRICS[0].name}`."
        )
    return names

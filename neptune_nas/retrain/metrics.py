"""What a full training measured, seed by seed, as `metrics.json` and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, get_args

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
from neptune_nas.metrics.registry import COST, PARAMS
from neptune_nas.metrics.score import costs_in
from neptune_nas.retrain.terms import Terms, terms_in
from neptune_nas.training.choice import Kind

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
    "validation_accuracy": SHARE,
    "validation_loss": NUMBER,
    "test_accuracy": SHARE,
    "test_loss": NUMBER,
    "seconds": NUMBER,
    "test_read": TEXT,
    **MACHINE,
}
MEASURED = ("validation_accuracy", "validation_loss", "test_accuracy", "test_loss")


@dataclass(frozen=True, slots=True)
class SeedMetrics:
    """What became of one seed: accuracies 0..1, losses in nats.

    `epoch`, `weights`: when, and which of the two kinds, the kept weights were best on the
    validation split. `seconds`: training, without measuring. `test_read`: the moment at which the
    test split was read for this seed, for the first and only time (ISO 8601, UTC). `device`,
    `hardware`, `versions`: of the command that read it.
    """

    seed: int
    epoch: int
    weights: Kind
    validation_accuracy: float
    validation_loss: float
    test_accuracy: float
    test_loss: float
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

    def spread(self, name: str) -> Spread:
        """Mean and standard deviation over seeds of one of `MEASURED`."""
        values = [getattr(seed, name) for seed in self.seeds]
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
            **{name: asdict(metrics.spread(name)) for name in MEASURED},
        },
        "seeds": [asdict(seed) for seed in metrics.seeds],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


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
    return Metrics(
        terms=terms_in(content["terms"], "terms."),
        costs=costs_in(content["costs"], "costs.", (COST, PARAMS)),
        seeds=tuple(
            seed_in(seed, f"seeds.{i}.", machine) for i, seed in enumerate(content["seeds"])
        ),
    )


def seed_in(data: object, path: str, machine: Mapping[str, Any]) -> SeedMetrics:
    """A seed in a JSON object; `machine`: what an older file says of the machine for all seeds."""
    content = check_fields(data, SEED, path, [name for name in SEED if name not in machine])
    return SeedMetrics(**{**machine, **content})

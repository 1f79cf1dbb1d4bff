"""All metrics of the toolkit, in one table.

Objectives, constraints, rankings, TOML keys, CSV columns, tables and the report iterate it. A new
metric is a row here and the function that computes it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

from neptune_nas.errors import OptionError, one_of
from neptune_nas.files.schema import check
from neptune_nas.text import binary, short

_Better = Literal["more", "less"]
_Source = Literal["counted", "timed", "scored"]
_Unit = Literal["", "share", "nats", "ms", "bytes"]

MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Metric:
    """A named quantity of a network.

    `name`: as objectives, constraints, files and columns write it. `title`: as tables and axes
    write it. `unit`: "share" is a number in 0..1; "" is a count. `better`: whether more or less is
    better; a metric of which more is better is a share. `source`: counted before training, timed
    on a device, or scored by an evaluator.
    """

    name: str
    title: str
    unit: _Unit = ""
    better: _Better = "less"
    source: _Source = "counted"

    def __post_init__(self) -> None:
        check(self)
        if self.better == "more" and self.unit != "share":
            raise OptionError(
                f"metric '{self.name}' is better when it is more, so its unit must be 'share', a "
                f"number in 0..1, but it is '{self.unit}'."
            )

    def __str__(self) -> str:
        return self.name

    @property
    def is_scored(self) -> bool:
        """True if an evaluator measures the metric."""
        return self.source == "scored"

    @property
    def turn(self) -> float:
        """The factor that turns a value into a loss: -1 where more is better, else 1."""
        return -1.0 if self.better == "more" else 1.0

    @property
    def best(self) -> float:
        """The best possible value: 1 for a share of which more is better, else 0."""
        return 1.0 if self.better == "more" else 0.0

    @property
    def worst(self) -> float:
        """The worst possible value, which stands in for one that was not measured."""
        return -inf if self.better == "more" else inf

    def admits(self, value: float) -> bool:
        """Return whether a value is in range: 0..1 for a share, else any number."""
        return 0 <= value <= 1 if self.unit == "share" else isfinite(value)

    @property
    def per(self) -> tuple[float, str]:
        """The amount that efficiency is stated per, with its name: a million, or 1 of a time."""
        if self.unit == "bytes":
            return MILLION, "MB"
        return (1.0, self.unit) if self.unit else (MILLION, f"M{self.title}")

    def text(self, value: float) -> str:
        """Return a value in a few digits with its unit, or a dash for one that is not known.

        >>> metric("flops").text(1_234_567), metric("latency").text(0.51), metric("ram").text(1_536)
        ('1.23M', '0.51 ms', '1.5 KiB')
        """
        if not isfinite(value):
            return "-"
        if self.unit in ("share", "nats"):
            return f"{value:.4f}"
        if self.unit == "ms":
            return f"{value:.3g} ms"
        return binary(value) if self.unit == "bytes" else short(value)


METRICS = (
    Metric("accuracy", "accuracy", "share", "more", "scored"),
    Metric("loss", "loss", "nats", "less", "scored"),
    Metric("int8_accuracy", "int8 accuracy", "share", "more", "scored"),
    Metric("miou", "mIoU", "share", "more", "scored"),
    Metric("pixel_accuracy", "pixel accuracy", "share", "more", "scored"),
    Metric("int8_miou", "int8 mIoU", "share", "more", "scored"),
    Metric("map50", "mAP50", "share", "more", "scored"),
    Metric("map", "mAP", "share", "more", "scored"),
    Metric("flops", "FLOPs"),
    Metric("macs", "MACs"),
    Metric("params", "parameters"),
    Metric("activations", "activations"),
    Metric("peak_memory", "peak memory", "bytes"),
    Metric("ram", "RAM", "bytes"),
    Metric("flash", "flash", "bytes"),
    Metric("latency", "latency", "ms", "less", "timed"),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}
NAMES = tuple(BY_NAME)
SCORED = tuple(metric for metric in METRICS if metric.source == "scored")
COUNTED = tuple(metric for metric in METRICS if metric.source == "counted")
TIMED = tuple(metric for metric in METRICS if metric.source == "timed")
COSTS = (*COUNTED, *TIMED)

CLASSIFICATION = SCORED[:2]
"""The scored metrics of a classifier; rankings use the first."""
IN_INT8: Mapping[str, Metric] = {
    SCORED[0].name: BY_NAME["int8_accuracy"],
    "miou": BY_NAME["int8_miou"],
}
"""By a task's main metric, the same of the network in int8; a task without one has no int8 yet."""
INT8 = tuple(IN_INT8.values())
COST, MACS, PARAMS = COUNTED[:3]
"""FLOPs, the default cost of a study; MACs, half of that; and the number of parameters."""
RAM, FLASH = BY_NAME["ram"], BY_NAME["flash"]
"""The memory of a microcontroller."""
SIZES = COUNTED[:5]
"""The counted metrics of any network; the others exist only where a device can run it."""
OBJECTIVES = (CLASSIFICATION[0].name, COST.name)
"""The default objectives of a search."""


def metric(name: str, own: Iterable[Metric] = ()) -> Metric:
    """Return the metric with that name; `own`: further metrics, declared by an evaluator.

    Raises `OptionError` for an unknown name.
    """
    known = {**BY_NAME, **{each.name: each for each in own}}
    if name not in known:
        raise OptionError(f"metric '{name}' is unknown: {one_of(known, name)}")
    return known[name]

"""Every metric that the toolkit knows, as one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from neptune_nas.errors import OptionError, one_of

Better = Literal["more", "less"]
Source = Literal["counted", "timed", "scored"]
Unit = Literal["", "share", "nats", "ms", "bytes"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A named quantity of a network.

    `name`: what objectives, constraints, files and columns call it. `title`: what tables and axes
    call it. `unit`: "share" is a number in 0..1; "" is a count. `better`: whether more or less of
    it is wanted; a metric of which more is better is a share. `source`: counted before training,
    timed on a device, or scored by an evaluator.
    """

    name: str
    title: str
    unit: Unit = ""
    better: Better = "less"
    source: Source = "counted"

    @property
    def turn(self) -> float:
        """The factor that turns a value into a loss: -1 where more is better, else 1."""
        return -1.0 if self.better == "more" else 1.0


METRICS = (
    Metric("accuracy", "accuracy", "share", "more", "scored"),
    Metric("loss", "loss", "nats", "less", "scored"),
    Metric("flops", "FLOPs"),
    Metric("macs", "MACs"),
    Metric("params", "parameters"),
    Metric("activations", "activations"),
    Metric("latency", "latency", "ms", "less", "timed"),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}


def metric(name: str) -> Metric:
    """Return the metric of that name; raises `OptionError` for one that is unknown."""
    if name not in BY_NAME:
        raise OptionError(f"metric '{name}' is unknown: {one_of(BY_NAME, name)}")
    return BY_NAME[name]

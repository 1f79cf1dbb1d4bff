"""The seam between what networks are trained to do and all that trains and measures them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from torch import Generator, Tensor

from neptune_nas.data.images import ImageData, Split
from neptune_nas.metrics.registry import metric
from neptune_nas.tasks.augmentation import Augment, Normalizer


@dataclass(frozen=True, slots=True)
class Finding:
    """A label that a prediction gives an image, and its probability, 0..1."""

    label: str
    probability: float


class Meter(Protocol):
    """A measurement of one split, batch by batch, that holds no more than it needs."""

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch: float32 outputs of a network in eval mode, and the targets of it."""

    def result(self) -> dict[str, float]:
        """Return the value of each of the task's metrics over all batches, one at least."""


class Task(Protocol):
    """What networks are trained to do, for all data sets that ask it of them.

    A task is a stateless value that can be pickled. Images are `(N, C, H, W)`; the targets and the
    outputs of a batch are one tensor each, whose row i belongs to image i. So a batch can be cut
    between any two images, and whoever trains, measures or streams it looks into neither.

    - `loss` is a sum over images, each by itself: the losses of a batch's parts add up to its own,
      and so do their gradients.
    - `chance` names every one of `metrics`, and so does `Meter.result`; both are in their ranges.
    - `metrics` are names of the registry. Networks are compared by the first, equal ones by the
      next.
    - Random numbers are drawn from the generator alone, on the host, in equal numbers whatever the
      images show: equal seeds give equal views on every device.
    - Images of other sizes, or another number of images, change no task.
    """

    @property
    def name(self) -> str:
        """What data sets and model files call it."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is measured of a network; the first is the main one."""

    @property
    def criterion(self) -> str:
        """The one of `metrics` that is the mean of `loss` over images, without smoothing."""

    def outputs(self, data: ImageData) -> int:
        """Return how many numbers a network puts out: for an image, or for each place in it."""

    def chance(self, classes: int) -> Mapping[str, float]:
        """Return what guessing scores, by metric, where every class is as likely."""

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """Return the training loss of float32 outputs, summed over images: a scalar.

        `smoothing`: the recipe's, of labels, 0 to below 1.
        """

    def meter(self) -> Meter:
        """Return a new measurement."""

    def views(
        self, batch: Split, augment: Augment, normalize: Normalizer, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Return normalised images, each changed at random on its own, and their targets.

        What moves in an image moves in its target; shapes stay.
        """

    def predict(self, outputs: Tensor) -> Tensor:
        """Return what is predicted of each image, from a network's outputs."""

    def findings(
        self, predictions: Tensor, labels: Sequence[str], top: int
    ) -> Iterator[tuple[Finding, ...]]:
        """Return, for each image, at most `top` labels that are predicted, the surest first."""


def failed_values(task: Task) -> dict[str, float]:
    """Return the values of a network whose training failed: a share is 0, all else infinite."""
    return {name: 0.0 if metric(name).better == "more" else inf for name in task.metrics}

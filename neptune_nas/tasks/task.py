"""The interface between tasks and the code that trains and measures networks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from PIL import Image
from torch import Tensor

from neptune_nas.data.images import ImageData, Split
from neptune_nas.metrics.registry import metric
from neptune_nas.tasks.augmentation import Moves, Normalizer
from neptune_nas.tasks.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Finding:
    """A label predicted for an image, and its probability, 0..1.

    `box`: left, top, right and bottom, in pixels, of what has the label, if that is a part of it.
    """

    label: str
    probability: float
    box: tuple[float, float, float, float] | None = None


class Meter(Protocol):
    """An accumulator of metrics over the batches of a split, in constant memory."""

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Add a batch: the float32 outputs of a network in eval mode, and their targets."""

    def result(self) -> dict[str, float]:
        """Return the value of each of the task's metrics over all batches, at least one."""


class Task(Protocol):
    """A task of networks, shared by all data sets of its kind.

    A task is a stateless value that can be pickled. Images are `(N, C, H, W)`; the targets and the
    outputs of a batch are one tensor each, whose row i belongs to image i. So a batch can be split
    between any two images, and training, measuring and streaming need not look into either.

    - `loss` and `distil` are sums over independent images: the losses of a batch's parts add up to
      its own, and so do their gradients.
    - `chance` and `Meter.result` have every one of `metrics`, within their ranges.
    - `metrics` are names of the registry. Networks are compared by the first, ties by the next.
    - A view depends on its image and its row of moves alone: equal seeds give equal views on every
      device, in any batches.
    - Neither the size nor the number of images changes a task.
    """

    @property
    def name(self) -> str:
        """The task's name in data sets and model files."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics of a network; the first is the main one."""

    @property
    def criterion(self) -> str:
        """The name of the metric that is the mean of `loss` over images, without smoothing."""

    @property
    def unmixed(self) -> tuple[str, ...]:
        """The mixtures of images, as a recipe calls them, that the targets cannot follow."""

    @property
    def most_findings(self) -> int | None:
        """The number of findings for an image by default; None for all of them."""

    @property
    def certainty(self) -> str:
        """The word for the number of a finding: a probability, or a share."""

    def outputs(self, data: ImageData) -> int:
        """Return the number of a network's logits, per image or per location in it."""

    def output_shape(self, outputs: int, height: int, width: int, /) -> tuple[int | None, ...]:
        """Return the shape of a network's outputs for an image of that size; None for any number.

        `outputs`: their number as `outputs` gives it.
        """

    def chance(self, classes: int, /, targets: Tensor | None = None) -> Mapping[str, float]:
        """Return the scores, by metric, of the best guess that ignores the images of `targets`.

        Without targets, classes are equally likely.
        """

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """Return the training loss of float32 outputs, summed over images: a scalar.

        `smoothing`: the recipe's label smoothing, in [0, 1).
        """

    def distil(self, outputs: Tensor, taught: Tensor, temperature: float) -> Tensor:
        """Return the loss of float32 outputs against a teacher's, summed over images: a scalar.

        `temperature`: the divisor of both outputs, above 0.
        """

    def ordered(self, outputs: Tensor, order: Sequence[int], /) -> Tensor:
        """Return outputs whose classes are in another order: `order` has the old place of each."""

    def meter(self) -> Meter:
        """Return a new meter."""

    def views(self, batch: Split, moves: Moves, normalize: Normalizer) -> tuple[Tensor, Tensor]:
        """Return normalised images, each moved by its row of `moves`, and their targets.

        Whatever moves in an image moves in its target; shapes are unchanged.
        """

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the prediction for each image, from a network's outputs."""

    def condense(self, predictions: Tensor) -> Tensor:
        """Return what `evaluate` needs of predictions, in less memory where less will do."""

    def findings(
        self, predictions: Tensor, labels: Sequence[str], top: int
    ) -> Iterator[tuple[Finding, ...]]:
        """Yield at most `top` predicted labels for each image, the most probable first."""

    def pictures(
        self, pixels: Tensor, found: Tensor, labels: Sequence[str], /
    ) -> Mapping[str, Image.Image]:
        """Return pictures by kind of what was found in an image; the last one shows it whole.

        `pixels`: uint8 `(C, H, W)`. `found`: a row of condensed predictions or of targets. Empty
        where there is nothing to show but a label.
        """

    def interval(self, value: float, images: int) -> tuple[float, float]:
        """Return the 95% interval of a value of the main metric on so many images, at least one."""

    def evaluate(
        self,
        predictions: Tensor,
        targets: Tensor,
        labels: Sequence[str],
        values: Mapping[str, float],
    ) -> Evaluation:
        """Evaluate predictions against targets, both on the host, class by class.

        `predictions`: condensed or not. `values`: those of the meter over the same images.
        """


def failed_values(task: Task) -> dict[str, float]:
    """Return the values of a network whose training failed: shares are 0, the rest infinite."""
    return {name: 0.0 if metric(name).better == "more" else inf for name in task.metrics}

"""The classification of images: one label per image."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from neptune_nas.data.images import ImageData, Split
from neptune_nas.space.space import wilson
from neptune_nas.tasks.augmentation import Moves, Normalizer, random_views
from neptune_nas.tasks.evaluation import ClassResult, Evaluation, Mistake
from neptune_nas.tasks.task import Finding, Meter


@dataclass(frozen=True, slots=True)
class Classification:
    """A `Task`: targets are classes `(N,)` as int64, outputs their logits `(N, classes)`.

    Predictions are probabilities `(N, classes)`. The loss is cross-entropy, in nats.
    """

    name: str = "classification"
    metrics: tuple[str, ...] = ("accuracy", "loss")
    criterion: str = "loss"
    unmixed: tuple[str, ...] = ()
    most_findings: int | None = 1
    certainty: str = "probability"

    def outputs(self, data: ImageData) -> int:
        """Return the number of classes, one logit each."""
        return len(data.classes)

    def output_shape(self, outputs: int, _height: int, _width: int, /) -> tuple[int | None, ...]:
        """Return the shape `(outputs,)`, whatever the size of the image."""
        return (outputs,)

    def chance(self, classes: int, /, targets: Tensor | None = None) -> dict[str, float]:
        """Return the share of the most frequent class, and the entropy of all shares."""
        if targets is None:
            return {"accuracy": 1 / classes, "loss": log(classes)}
        shares = targets.bincount(minlength=classes).double() / len(targets)
        return {"accuracy": float(shares.max()), "loss": float(torch.special.entr(shares).sum())}

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """Return the sum of cross-entropies, with smoothed labels (arXiv 1512.00567)."""
        return F.cross_entropy(outputs, targets, label_smoothing=smoothing, reduction="sum")

    def distil(self, outputs: Tensor, taught: Tensor, temperature: float) -> Tensor:
        """Return the sum of divergences from the teacher's classes (arXiv 1503.02531).

        It is multiplied by the temperature squared, so that gradients stay as large as those of
        `loss`.
        """
        student, teacher = (each.div(temperature).log_softmax(1) for each in (outputs, taught))
        divergence = F.kl_div(student, teacher, log_target=True, reduction="sum")
        return divergence.mul(temperature**2)

    def ordered(self, outputs: Tensor, order: Sequence[int], /) -> Tensor:
        """Return outputs with the logits of their classes in another order."""
        return outputs[:, [*order]]

    def meter(self) -> Meter:
        """Return a new meter of accuracy and loss."""
        return _Meter(self)

    def views(self, batch: Split, moves: Moves, normalize: Normalizer) -> tuple[Tensor, Tensor]:
        """Return augmented images with their labels unchanged."""
        return random_views(batch.images, moves, normalize), batch.targets

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the probabilities of the classes, by softmax."""
        return outputs.softmax(1)

    def condense(self, predictions: Tensor) -> Tensor:
        """Return the probabilities, all of which are needed."""
        return predictions

    def findings(
        self, predictions: Tensor, labels: Sequence[str], top: int
    ) -> Iterator[tuple[Finding, ...]]:
        """Return the most probable labels of each image."""
        best = predictions.topk(min(top, len(labels)))
        for shares, places in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            yield tuple(Finding(labels[i], p) for i, p in zip(places, shares, strict=True))

    def pictures(
        self, _pixels: Tensor, _found: Tensor, _labels: Sequence[str], /
    ) -> Mapping[str, Image.Image]:
        """Return none: a label says it all."""
        return {}

    def interval(self, value: float, images: int) -> tuple[float, float]:
        """Return Wilson's interval of a share of images."""
        return wilson(round(value * images), images)

    def evaluate(
        self,
        predictions: Tensor,
        targets: Tensor,
        labels: Sequence[str],
        values: Mapping[str, float],
    ) -> Evaluation:
        """Return recall and precision of each class, and the wrongly predicted images."""
        main, found = self.metrics[0], predictions.argmax(1)
        confusion = Counter(zip(targets.tolist(), found.tolist(), strict=True))
        return Evaluation(
            task=self.name,
            images=len(targets),
            values=values,
            interval=self.interval(values[main], len(targets)),
            chance=self.chance(len(labels), targets)[main],
            classes=_class_results(confusion, labels),
            confusion=confusion,
            mistakes=tuple(_mistakes(predictions, targets, found, labels)),
        )


def _class_results(
    confusion: Mapping[tuple[int, int], int], labels: Sequence[str]
) -> tuple[ClassResult, ...]:
    """Return the recall and precision of each class."""
    true, predicted = Counter[int](), Counter[int]()
    for (label, other), count in confusion.items():
        true[label] += count
        predicted[other] += count

    def shares(place: int) -> dict[str, float | None]:
        right, sums = confusion.get((place, place), 0), (true[place], predicted[place])
        recall, precision = (right / total if total else None for total in sums)
        return {"recall": recall, "precision": precision}

    return tuple(ClassResult(label, true[i], shares(i)) for i, label in enumerate(labels))


def _mistakes(
    predictions: Tensor, targets: Tensor, found: Tensor, labels: Sequence[str]
) -> Iterator[Mistake]:
    """Yield the wrong predictions, the most probable first."""
    wrong = (found != targets).nonzero().flatten()
    sure = predictions[wrong, found[wrong]]
    order = sure.argsort(descending=True, stable=True)
    rows, sure = wrong[order], sure[order]
    columns = (rows, targets[rows], found[rows], sure, predictions[rows, targets[rows]])
    for row, true, predicted, *shares in zip(*(c.tolist() for c in columns), strict=True):
        yield Mistake(row, labels[true], labels[predicted], *shares)


class _Meter:
    """The accuracy and mean cross-entropy, accumulated in two numbers on the device."""

    def __init__(self, task: Classification) -> None:
        self.task, self.count = task, 0
        self.right: Tensor | int = 0
        self.loss: Tensor | float = 0.0

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Add a batch, without waiting for the device."""
        self.count += len(targets)
        self.right = self.right + (outputs.argmax(1) == targets).sum()
        self.loss = self.loss + self.task.loss(outputs, targets).double()

    def result(self) -> dict[str, float]:
        """Return accuracy and loss."""
        return {"accuracy": int(self.right) / self.count, "loss": float(self.loss) / self.count}

"""The segmentation of images: one class for each pixel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from neptune_nas.data.images import IGNORED, ImageData, Split, pixels_by_class
from neptune_nas.data.mask_pictures import mask_picture, overlay
from neptune_nas.space.space import wilson
from neptune_nas.tasks.augmentation import Moves, Normalizer, finished, moved
from neptune_nas.tasks.evaluation import ClassResult, Evaluation, Mistake, Words
from neptune_nas.tasks.task import Finding, Meter

_WORDS = Words(
    unit="pixel",
    units="pixels",
    shares=(
        "IoU: of the pixels that are of a class or predicted as it, the share that is both. Recall "
        "and precision: the same share of those that are of it, and of those predicted as it. "
        "Pixels: the share of all pixels that are of it. Images: those with pixels of it."
    ),
    worst="The worst images",
    most="worst",
    why="those with the largest share of wrong pixels, and the classes most often mistaken in "
    "each: the image, its true classes, and those predicted",
    number="wrong pixels",
    mistake="image with wrong pixels",
    mistakes="images with wrong pixels",
    wrong="images with wrong pixels",
    keys=("wrong_pixels", "right_pixels"),
    has_pictures=True,
)


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A `Task`: targets are masks `(N, H, W)` as uint8, outputs logits `(N, classes, H, W)`.

    Pixels that are `IGNORED` count nowhere. Predictions are probabilities `(N, classes, H, W)`. The
    loss of an image is the mean cross-entropy of its pixels, in nats. The main metric is the
    intersection over union of a class over all images, as a mean over the classes that occur in
    targets or predictions.
    """

    name: str = "segmentation"
    metrics: tuple[str, ...] = ("miou", "pixel_accuracy", "loss")
    criterion: str = "loss"
    unmixed: tuple[str, ...] = ("cutmix",)
    most_findings: int | None = None
    certainty: str = "share"

    def outputs(self, data: ImageData) -> int:
        """Return the number of classes, one logit each for every pixel."""
        return len(data.classes)

    def output_shape(self, outputs: int, height: int, width: int, /) -> tuple[int | None, ...]:
        """Return the shape `(outputs, height, width)`."""
        return outputs, height, width

    def chance(self, classes: int, /, targets: Tensor | None = None) -> dict[str, float]:
        """Return the scores of the most frequent class everywhere, and the entropy of all shares.

        The entropy is that of an image's pixels, over all images.
        """
        if targets is None:
            return {"miou": 1 / classes**2, "pixel_accuracy": 1 / classes, "loss": log(classes)}
        counts = pixels_by_class(targets, classes).double()
        pixels, sizes = counts.sum(0), counts.sum(1, keepdim=True)
        share = float(pixels.max() / pixels.sum().clamp(1))
        shares = (counts / sizes.clamp(1)).sum(0) / sizes.count_nonzero().clamp(1)
        entropy = torch.special.entr(shares).sum() * sizes.count_nonzero() / len(targets)
        occurring = max(int(pixels.count_nonzero()), 1)
        return {"miou": share / occurring, "pixel_accuracy": share, "loss": float(entropy)}

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """Return the sum over images of the mean cross-entropy of their pixels.

        An image all of whose pixels are ignored adds nothing.
        """
        losses = F.cross_entropy(
            outputs,
            targets.long(),
            ignore_index=IGNORED,
            label_smoothing=smoothing,
            reduction="none",
        )
        pixels = targets.ne(IGNORED).flatten(1).sum(1).clamp(1)
        return (losses.flatten(1).sum(1) / pixels).sum()

    def distil(self, outputs: Tensor, taught: Tensor, temperature: float) -> Tensor:
        """Return the sum over images of the mean divergence of a pixel from the teacher's classes.

        As for classification, it is multiplied by the temperature squared. A teacher says something
        of ignored pixels, too.
        """
        student, teacher = (each.div(temperature).log_softmax(1) for each in (outputs, taught))
        divergence = F.kl_div(student, teacher, log_target=True, reduction="sum")
        return divergence.mul(temperature**2 / outputs[0, 0].numel())

    def ordered(self, outputs: Tensor, order: Sequence[int], /) -> Tensor:
        """Return outputs with the logits of their classes in another order."""
        return outputs[:, [*order]]

    def meter(self) -> Meter:
        """Return a new meter."""
        return _Meter(self)

    def views(self, batch: Split, moves: Moves, normalize: Normalizer) -> tuple[Tensor, Tensor]:
        """Return augmented images with their masks, moved alike; what a crop adds is ignored.

        A policy changes colours alone, and a blanked square keeps its classes.
        """
        masks = batch.targets.add(1).unsqueeze(1)  # so that 0, with which a crop pads, is ignored
        both = moved(torch.cat((batch.images, masks), 1), moves)
        return finished(both[:, :-1], moves, normalize, in_place=True), both[:, -1].sub(1)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the probabilities of the classes of each pixel, by softmax."""
        return outputs.softmax(1)

    def condense(self, predictions: Tensor) -> Tensor:
        """Return the most probable class of each pixel, `(N, H, W)` as uint8."""
        return predictions if predictions.ndim == 3 else predictions.argmax(1).to(torch.uint8)

    def findings(
        self, predictions: Tensor, labels: Sequence[str], top: int
    ) -> Iterator[tuple[Finding, ...]]:
        """Yield the labels predicted for most pixels of each image, with their share of these."""
        counts = pixels_by_class(self.condense(predictions), len(labels))
        best = counts.div(counts.sum(1, keepdim=True)).topk(min(top, len(labels)))
        for shares, places in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            found = zip(places, shares, strict=True)
            yield tuple(Finding(labels[i], share) for i, share in found if share)

    def pictures(
        self, pixels: Tensor, found: Tensor, _labels: Sequence[str], /
    ) -> Mapping[str, Image.Image]:
        """Return the mask, whose numbers are classes, and the image under its colours."""
        return {"mask": mask_picture(found), "overlay": overlay(pixels, found)}

    def interval(self, value: float, images: int) -> tuple[float, float]:
        """Return Wilson's interval of a share of as many images.

        It is a rough guide: a class that occurs in few images makes mIoU vary more.
        """
        return wilson(round(value * images), images)

    def evaluate(
        self,
        predictions: Tensor,
        targets: Tensor,
        labels: Sequence[str],
        values: Mapping[str, float],
    ) -> Evaluation:
        """Return the IoU, recall and precision of each class, and the images with wrong pixels."""
        main, count = self.metrics[0], len(labels)
        found = self.condense(predictions)
        each = torch.cat([*_confusions(found, targets, count)])
        return Evaluation(
            task=self.name,
            images=len(targets),
            values=values,
            interval=self.interval(values[main], len(targets)),
            chance=self.chance(count, targets)[main],
            classes=_class_results(each, labels),
            confusion=_counts(each.sum(0)),
            mistakes=tuple(_mistakes(each, found, labels)),
            words=_WORDS,
        )


def confusion(found: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Return the pixels by true class and then predicted class, `(classes, classes)`.

    Both are `(N, H, W)`. On an accelerator, nothing is waited for.
    """
    rows = torch.where(targets == IGNORED, classes, targets.long())
    places = rows.mul_(classes).add_(found).flatten()
    counts = torch.zeros((classes + 1) * classes, dtype=torch.int64, device=targets.device)
    counts.scatter_add_(0, places, torch.ones_like(places))
    return counts.view(classes + 1, classes)[:-1]


def _confusions(found: Tensor, targets: Tensor, classes: int) -> Iterator[Tensor]:
    """Yield the confusion of each image, `(1, classes, classes)`."""
    for image, mask in zip(found, targets, strict=True):
        yield confusion(image, mask, classes).unsqueeze(0)


def _counts(matrix: Tensor) -> dict[tuple[int, int], int]:
    """Return the counts of a confusion by its pair of classes, without zeros."""
    places = matrix.nonzero().tolist()
    return {(true, found): int(matrix[true, found]) for true, found in places}


def ious(matrix: Tensor) -> Tensor:
    """Return the IoU of each class in a confusion; NaN for those that occur nowhere."""
    right = matrix.diagonal().double()
    return right / (matrix.sum(0) + matrix.sum(1) - right)


def _class_results(each: Tensor, labels: Sequence[str]) -> tuple[ClassResult, ...]:
    """Return the shares of each class; `each`: the confusion of every image."""
    matrix = each.sum(0)
    right, true, found = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    images = each.sum(2).count_nonzero(0).tolist()
    columns = {
        "IoU": ious(matrix),
        "recall": right / true,
        "precision": right / found,
        "pixels": true / true.sum(),
    }
    return tuple(
        ClassResult(label, images[i], {name: _share(values[i]) for name, values in columns.items()})
        for i, label in enumerate(labels)
    )


def _share(value: Tensor) -> float | None:
    return None if bool(value.isnan()) else float(value)


def _mistakes(each: Tensor, found: Tensor, labels: Sequence[str]) -> Iterator[Mistake]:
    """Yield the images with wrong pixels, those with the largest share of them first."""
    sizes = each.sum((1, 2))
    wrong = each - torch.diag_embed(each.diagonal(dim1=1, dim2=2))
    shares = wrong.sum((1, 2)).double() / sizes.clamp(1)
    for row in shares.argsort(descending=True, stable=True).tolist():
        if shares[row] > 0:
            true, taken = divmod(int(wrong[row].argmax()), len(labels))
            share = float(shares[row])
            yield Mistake(row, labels[true], labels[taken], share, 1 - share, found[row])


class _Meter:
    """The confusion of all pixels and the mean loss, accumulated on the device."""

    def __init__(self, task: Segmentation) -> None:
        self.task, self.count = task, 0
        self.matrix: Tensor | int = 0
        self.loss: Tensor | float = 0.0

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Add a batch, without waiting for the device."""
        self.count += len(targets)
        self.matrix = self.matrix + confusion(outputs.argmax(1), targets, outputs.shape[1])
        self.loss = self.loss + self.task.loss(outputs, targets).double()

    def result(self) -> dict[str, float]:
        """Return mIoU, pixel accuracy and loss; without a pixel that counts, the shares are 0."""
        assert isinstance(self.matrix, Tensor)
        matrix = self.matrix.cpu()
        pixels = max(int(matrix.sum()), 1)
        return {
            "miou": float(ious(matrix).nanmean().nan_to_num(0.0)),
            "pixel_accuracy": int(matrix.diagonal().sum()) / pixels,
            "loss": float(self.loss) / self.count,
        }

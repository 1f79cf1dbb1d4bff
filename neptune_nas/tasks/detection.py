"""The detection of objects: boxes with a class each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import Tensor

from neptune_nas.data.box_pictures import box_picture
from neptune_nas.data.images import BOX, ImageData, Split
from neptune_nas.errors import OptionError
from neptune_nas.nn.dense_heads import LENGTHS
from neptune_nas.space.space import wilson
from neptune_nas.tasks.augmentation import Moves, Normalizer, finished, moved
from neptune_nas.tasks.average_precision import average_precisions
from neptune_nas.tasks.boxes import (
    distillation,
    exist,
    found_boxes,
    losses,
    moved_boxes,
    overlaps,
)
from neptune_nas.tasks.evaluation import NOTHING, ClassResult, Evaluation, Mistake, Words
from neptune_nas.tasks.task import Finding, Meter

SURE = 0.4
"""The probability from which a box is shown and counted as found.

On validation images, the harmonic mean of recall and precision of `fcos-8` was highest at 0.5 on
`digits-boxes` (0.93, and 0.92 at 0.4) and at 0.4 on BCCD (0.73), among 0.2, 0.3, 0.4, 0.5 and 0.6.
"""
_SAME = 0.5  # IoU from which two boxes are of the same object
_UNSIZED = 1.0  # loss of an image with boxes where each point predicts one without a size

_WORDS = Words(
    unit="box",
    units="boxes",
    shares=(
        "AP50 and AP: average precision of a class where boxes must overlap their object by an IoU "
        "of 0.5, and as a mean over 0.5 to 0.95, as COCO has them. Recall and precision: of the "
        "boxes of a class, the share that is found, and of those found as it, the share that is "
        f"right, for boxes of a probability of {SURE} or more. Images: those with boxes of it."
    ),
    worst="The worst images",
    most="worst",
    why="those with the largest share of wrong boxes, and the classes most often mistaken in each: "
    f"the image, its true boxes, and those found with a probability of {SURE} or more",
    number="wrong boxes",
    mistake="image with wrong boxes",
    mistakes="images with wrong boxes",
    wrong="images with wrong boxes",
    keys=("wrong_boxes", "right_boxes"),
    has_pictures=True,
)


@dataclass(frozen=True, slots=True)
class Detection:
    """A `Task`: targets are boxes `(N, M, 5)`, outputs lists of points `(N, P, 6 + classes)`.

    Targets are float32: left, top, right and bottom in pixels, and the class. Outputs are those of
    `neptune_nas.nn.dense_heads.DetectionBlock`. Predictions are boxes `(N, 100, 6)`, the surest
    first: as targets, with a probability. The main metric is the mean over classes of average
    precision at an IoU of 0.5, as COCO has it (arXiv 1405.0312).
    """

    name: str = "detection"
    metrics: tuple[str, ...] = ("map50", "map", "loss")
    criterion: str = "loss"
    unmixed: tuple[str, ...] = ("mixup", "cutmix")
    most_findings: int | None = None
    certainty: str = "probability"

    def outputs(self, data: ImageData) -> int:
        """Return the number of classes, one logit each for every point."""
        return len(data.classes)

    def output_shape(self, outputs: int, _height: int, _width: int, /) -> tuple[int | None, ...]:
        """Return the shape `(any number of points, 6 + outputs)`."""
        return None, LENGTHS + outputs

    def chance(self, _classes: int, /, targets: Tensor | None = None) -> dict[str, float]:
        """Return the scores of boxes without a size: nothing found, and the loss of that."""
        share = 1.0 if targets is None else float(exist(targets).any(1).double().mean())
        return {"map50": 0.0, "map": 0.0, "loss": _UNSIZED * share}

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """Return the sum over images of focal loss and GIoU loss, over their points with a box."""
        return losses(outputs, targets, smoothing).sum()

    def distil(self, outputs: Tensor, taught: Tensor, temperature: float) -> Tensor:
        """Return the sum over images of the divergence from the teacher's classes and boxes.

        Raises `OptionError` for a teacher with other points.
        """
        if outputs.shape != taught.shape:
            raise OptionError(
                f"a teacher for detection must have as many points as the network, but has "
                f"{taught.shape[1]:,} for its {outputs.shape[1]:,}: choose a teacher and a space "
                f"with the same sizes of the maps that their heads read."
            )
        return distillation(outputs, taught, temperature).sum()

    def ordered(self, outputs: Tensor, order: Sequence[int], /) -> Tensor:
        """Return outputs with the logits of their classes in another order."""
        return outputs[..., [*range(LENGTHS), *(LENGTHS + place for place in order)]]

    def meter(self) -> Meter:
        """Return a new meter."""
        return _Meter(self)

    def views(self, batch: Split, moves: Moves, normalize: Normalizer) -> tuple[Tensor, Tensor]:
        """Return augmented images with their boxes, moved alike; those that have left are gone.

        A policy changes colours alone, and a blanked square leaves the boxes as they are.
        """
        images = finished(moved(batch.images, moves), moves, normalize, in_place=True)
        shift = (moves.augment.crop - moves.corners).flip(1)  # right and down
        height, width = batch.images.shape[-2:]
        where = batch.targets.device
        targets = moved_boxes(
            batch.targets, shift.to(where), moves.mirrored.to(where), (height, width)
        )
        return images, targets

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the boxes `(N, 100, 6)` of each image after non-maximum suppression."""
        return found_boxes(outputs)

    def condense(self, predictions: Tensor) -> Tensor:
        """Return the boxes, all of which are needed."""
        return predictions

    def findings(
        self, predictions: Tensor, labels: Sequence[str], top: int
    ) -> Iterator[tuple[Finding, ...]]:
        """Yield the boxes of each image that are `SURE`, the surest first."""
        for found in predictions:
            yield tuple(
                Finding(labels[int(label)], probability, (left, top_, right, bottom))
                for left, top_, right, bottom, label, probability in _sure(found)[:top].tolist()
            )

    def pictures(
        self, pixels: Tensor, found: Tensor, labels: Sequence[str], /
    ) -> Mapping[str, Image.Image]:
        """Return the image with the boxes that are `SURE`, or with those of a target."""
        return {"boxes": box_picture(pixels, _sure(found), labels)}

    def interval(self, value: float, images: int) -> tuple[float, float]:
        """Return Wilson's interval of a share of as many images.

        It is a rough guide: a class with few boxes makes mAP vary more.
        """
        return wilson(round(value * images), images)

    def evaluate(
        self,
        predictions: Tensor,
        targets: Tensor,
        labels: Sequence[str],
        values: Mapping[str, float],
    ) -> Evaluation:
        """Return AP, recall and precision of each class, and the images with wrong boxes."""
        main, count = self.metrics[0], len(labels)
        pairs = [_confusion(_sure(p), t) for p, t in zip(predictions, targets, strict=True)]
        return Evaluation(
            task=self.name,
            images=len(targets),
            values=values,
            interval=self.interval(values[main], len(targets)),
            chance=self.chance(count, targets)[main],
            classes=_class_results(predictions, targets, pairs, labels),
            confusion=sum(pairs, Counter[tuple[int, int]]()),
            mistakes=tuple(_mistakes(predictions, pairs, labels)),
            words=_WORDS,
        )


def _sure(boxes: Tensor) -> Tensor:
    """Return the boxes of an image that are shown: those of a target, or `SURE` ones."""
    shown = boxes[exist(boxes)]
    return shown if boxes.shape[1] == BOX else shown[shown[:, BOX] >= SURE]


def _confusion(found: Tensor, targets: Tensor) -> Counter[tuple[int, int]]:
    """Return how many boxes of an image there are by true and by found class.

    The surest box is matched first, with the target that it overlaps most, one of its class before
    others. `NOTHING` is the class of a target that is missed, and of a box without a target.
    """
    there = targets[exist(targets)]
    counts = Counter[tuple[int, int]]()
    iou = overlaps(found[:, :4], there[:, :4])
    iou[iou < _SAME] = 0
    same = found[:, 4].unsqueeze(1) == there[:, 4]
    for row in range(len(found)):
        score = iou[row] + same[row] * (iou[row] > 0)
        best = int(score.argmax()) if len(there) and score.max() > 0 else None
        counts[NOTHING if best is None else int(there[best, 4]), int(found[row, 4])] += 1
        if best is not None:
            iou[:, best] = -1
    missed = there[iou.amax(0) >= 0, 4] if len(found) else there[:, 4]
    counts.update((int(label), NOTHING) for label in missed.tolist())
    return counts


def _class_results(
    predictions: Tensor,
    targets: Tensor,
    pairs: Sequence[Counter[tuple[int, int]]],
    labels: Sequence[str],
) -> tuple[ClassResult, ...]:
    """Return the shares of each class; `pairs`: the confusion of every image."""
    precisions = average_precisions(predictions, targets, len(labels))
    each = sum(pairs, Counter[tuple[int, int]]())

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    def result(place: int, label: str) -> ClassResult:
        images = int((exist(targets) & targets[..., 4].eq(place)).any(1).sum())
        true = sum(n for (one, _), n in each.items() if one == place)
        found = sum(n for (_, one), n in each.items() if one == place)
        at_half, over_all = (
            None if bool(value.isnan()) else float(value)
            for value in (precisions[0, place], precisions[:, place].mean())
        )
        right = each[place, place]
        shares = {
            "AP50": at_half,
            "AP": over_all,
            "recall": share(right, true),
            "precision": share(right, found),
        }
        return ClassResult(label, images, shares)

    return tuple(result(place, label) for place, label in enumerate(labels))


def _mistakes(
    predictions: Tensor, pairs: Sequence[Counter[tuple[int, int]]], labels: Sequence[str]
) -> Iterator[Mistake]:
    """Yield the images with wrong boxes, those with the largest share of them first."""
    names = [*labels, "nothing"]  # the last is that of `NOTHING`
    shares = []
    for row, counts in enumerate(pairs):
        wrong = {pair: n for pair, n in counts.items() if pair[0] != pair[1]}
        if wrong:
            shares.append(
                (
                    sum(wrong.values()) / counts.total(),
                    row,
                    max(wrong, key=lambda pair: wrong[pair]),
                )
            )
    for share, row, (true, found) in sorted(shares, key=lambda each: (-each[0], each[1])):
        yield Mistake(row, names[true], names[found], share, 1 - share, predictions[row])


@dataclass(slots=True)
class _Meter:
    """The boxes found in each image, and their targets, on the host; and the mean loss."""

    task: Detection
    found: list[Tensor] = field(default_factory=list)
    targets: list[Tensor] = field(default_factory=list)
    classes: int = 0
    loss: Tensor | float = 0.0

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Add a batch."""
        self.classes = outputs.shape[-1] - LENGTHS
        self.found.append(self.task.predict(outputs).cpu())
        self.targets.append(targets.cpu())
        self.loss = self.loss + self.task.loss(outputs, targets).double()

    def result(self) -> dict[str, float]:
        """Return both mean average precisions, 0 where there is no target, and the loss."""
        found, targets = torch.cat(self.found), torch.cat(self.targets)
        precisions = average_precisions(found, targets, self.classes)
        return {
            "map50": float(precisions[0].nanmean().nan_to_num(0.0)),
            "map": float(precisions.nanmean().nan_to_num(0.0)),
            "loss": float(self.loss) / len(targets),
        }

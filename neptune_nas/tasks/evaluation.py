"""The evaluation of a network's predictions on labelled images, as a report shows it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassResult:
    """The images of one class: how many there are, and shares by name, such as recall.

    A share of nothing is None, such as the recall of a class without images.
    """

    label: str
    images: int
    shares: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong prediction, and the probabilities, 0..1, of the predicted label and the true one.

    `row`: the image's row in its split.
    """

    row: int
    label: str
    predicted: str
    probability: float
    true_probability: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of a network on `images` images, whose labels are those of `classes`.

    `values`: by metric, the task's main one first; `interval`: 95% interval of that one, over the
    choice of images; `chance`: what the best constant answer scores. `confusion`: counts by
    true and predicted class, without zeros; a class is its place in `classes`. `mistakes`: all of
    them, the surest first.
    """

    images: int
    values: Mapping[str, float]
    interval: tuple[float, float]
    chance: float
    classes: tuple[ClassResult, ...]
    confusion: Mapping[tuple[int, int], int]
    mistakes: tuple[Mistake, ...]

    @property
    def main(self) -> tuple[str, float]:
        """The name of the main metric, and its value."""
        return next(iter(self.values.items()))

    @property
    def absent(self) -> tuple[str, ...]:
        """The labels of the classes without images, which were not measured."""
        return tuple(each.label for each in self.classes if not each.images)

    @property
    def confused(self) -> list[tuple[str, str, int]]:
        """The pairs of a true label and a wrong one predicted, the most frequent first."""
        wrong = ((pair, count) for pair, count in self.confusion.items() if pair[0] != pair[1])
        return [
            (self.classes[true].label, self.classes[predicted].label, count)
            for (true, predicted), count in sorted(wrong, key=lambda each: (-each[1], each[0]))
        ]

"""The evaluation of a network's predictions on labelled images, as a report shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

NOTHING = -1
"""The place of no class: where something was missed, or where nothing is."""
_NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ClassResult:
    """The images of one class, or that show it: how many, and shares by name, such as recall.

    A share of nothing is None, such as the recall of a class without images.
    """

    label: str
    images: int
    shares: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong prediction, and the probabilities, 0..1, of the predicted label and the true one.

    `row`: the image's row in its split. Where parts of an image have labels, these are those that
    are most often mistaken for one another in it, the numbers are the shares of its parts that are
    wrong and right, and `found` is the condensed prediction.
    """

    row: int
    label: str
    predicted: str
    probability: float
    true_probability: float
    found: Tensor | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Words:
    """The words for what a task evaluates.

    `unit`, `units`: what has a label. `shares`: what the shares of a class are. `worst`: the title
    of the mistakes that are shown; `most`: what these are; `why`: why they are shown; `number`:
    what they are sorted by. `mistake`, `mistakes`, `wrong`: what a mistake is. `keys`: the names of
    its two numbers in a file. `has_pictures`: whether a picture shows what was found in an image.
    """

    unit: str = "image"
    units: str = "images"
    shares: str = (
        "Recall: of the images of a class, the share that is predicted as that class. Precision: "
        "of the images predicted as a class, the share that belongs to it."
    )
    worst: str = "The surest mistakes"
    most: str = "surest"
    why: str = "the ones the network was surest of, with the probability it gave each"
    number: str = "probability"
    mistake: str = "mistake"
    mistakes: str = "mistakes"
    wrong: str = "wrong predictions"
    keys: tuple[str, str] = ("probability", "label_probability")
    has_pictures: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of a network for a task on `images` images, whose labels are those of `classes`.

    `values`: by metric, the task's main one first; `interval`: 95% interval of that one, over the
    choice of images; `chance`: what the best constant answer scores. `confusion`: counts by
    true and predicted class, without zeros; a class is its place in `classes`, or `NOTHING`.
    `mistakes`: all of them, the surest first. `words`: how to speak of these.
    """

    task: str
    images: int
    values: Mapping[str, float]
    interval: tuple[float, float]
    chance: float
    classes: tuple[ClassResult, ...]
    confusion: Mapping[tuple[int, int], int]
    mistakes: tuple[Mistake, ...]
    words: Words = field(default_factory=Words)

    @property
    def main(self) -> tuple[str, float]:
        """The name of the main metric, and its value."""
        return next(iter(self.values.items()))

    @property
    def absent(self) -> tuple[str, ...]:
        """The labels of the classes that were not measured: their first share is of nothing."""
        return tuple(e.label for e in self.classes if next(iter(e.shares.values()), None) is None)

    def label(self, place: int) -> str:
        """Return the label of a place in the confusion."""
        return _NOTHING if place == NOTHING else self.classes[place].label

    @property
    def places(self) -> tuple[int, ...]:
        """The places of the classes, and `NOTHING` behind them where the confusion has it."""
        has_nothing = any(NOTHING in pair for pair in self.confusion)
        return (*range(len(self.classes)), *([NOTHING] if has_nothing else []))

    @property
    def confused(self) -> list[tuple[str, str, int]]:
        """The pairs of a true label and a wrong one predicted, the most frequent first."""
        wrong = ((pair, count) for pair, count in self.confusion.items() if pair[0] != pair[1])
        return [
            (self.label(true), self.label(predicted), count)
            for (true, predicted), count in sorted(wrong, key=lambda each: (-each[1], each[0]))
        ]

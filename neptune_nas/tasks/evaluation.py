"""The evaluation of a network's predictions on labelled images, as a report shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True)
class ClassResult:
    """The images of one class, or with pixels of it: how many, and shares by name, such as recall.

    A share of nothing is None, such as the recall of a class without images.
    """

    label: str
    images: int
    shares: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong prediction, and the probabilities, 0..1, of the predicted label and the true one.

    `row`: the image's row in its split. Where pixels have labels, these are those that are most
    often mistaken for one another in the image, the numbers are the shares of its pixels that are
    wrong and right, and `found` `(H, W)` has the class of each pixel.
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

    `unit`: what has a label. `shares`: what the shares of a class are. `worst`: the title of the
    mistakes that are shown; `most`: what these are; `why`: why they are shown; `number`: what they
    are sorted by. `mistake`, `mistakes`, `wrong`: what a mistake is. `keys`: the names of its two
    numbers in a file. `has_masks`: whether each pixel of an image has a class.
    """

    unit: str = "image"
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
    has_masks: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of a network on `images` images, whose labels are those of `classes`.

    `values`: by metric, the task's main one first; `interval`: 95% interval of that one, over the
    choice of images; `chance`: what the best constant answer scores. `confusion`: counts by
    true and predicted class, without zeros; a class is its place in `classes`. `mistakes`: all of
    them, the surest first. `words`: how to speak of these.
    """

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

    @property
    def confused(self) -> list[tuple[str, str, int]]:
        """The pairs of a true label and a wrong one predicted, the most frequent first."""
        wrong = ((pair, count) for pair, count in self.confusion.items() if pair[0] != pair[1])
        return [
            (self.classes[true].label, self.classes[predicted].label, count)
            for (true, predicted), count in sorted(wrong, key=lambda each: (-each[1], each[0]))
        ]

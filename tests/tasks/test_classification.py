from dataclasses import replace
from math import log

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.data.images import ImageData, Split, image_data
from neptune_nas.data.source import Source, in_memory
from neptune_nas.tasks.classification import Classification
from neptune_nas.tasks.evaluation import ClassResult, Mistake
from neptune_nas.tasks.task import Finding
from tests.tasks.contract import TaskContract

CLASSES = ("a", "b", "c")
TASK = Classification()


class TestClassification(TaskContract):
    def data(self) -> ImageData:
        train, validation, test = (noise(count, count) for count in (18, 9, 6))
        source = Source("noise", CLASSES, in_memory(train.images, train.targets), crop=1)
        return image_data(source, (train, validation, test))

    def network(self, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(5 * 7, 8), nn.ReLU(), nn.Linear(8, outputs))

    def guesses(self, split: Split) -> Tensor:
        return torch.zeros(len(split), len(CLASSES))

    def perfect(self, split: Split) -> Tensor:
        return nn.functional.one_hot(split.targets, len(CLASSES)) * 100.0

    def mirrored(self, split: Split) -> Split:
        return replace(split, images=split.images.flip(-1))


def noise(count: int, seed: int) -> Split:
    """Images of noise, 5 x 7 pixels, as many of one class as of another."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, 1, 5, 7), generator=generator)
    return Split(pixels.byte(), torch.arange(count) % len(CLASSES))


def test_the_loss_is_the_cross_entropy_of_the_right_class() -> None:
    outputs = torch.tensor([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]]).log()
    assert float(TASK.loss(outputs, torch.tensor([1, 2]))) == pytest.approx(-log(0.5) - log(0.1))


def test_a_smoothed_label_has_its_share_of_every_class() -> None:
    outputs = torch.tensor([[0.2, 0.5, 0.3]]).log()
    smooth = float(TASK.loss(outputs, torch.tensor([1]), smoothing=0.3))
    assert smooth == pytest.approx(-0.8 * log(0.5) - 0.1 * (log(0.2) + log(0.3)))


def test_measured_losses_are_those_of_labels_as_they_are() -> None:
    meter = TASK.meter()
    meter.update(torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log(), torch.tensor([0, 1]))
    assert meter.result()["loss"] == pytest.approx((log(4) + log(2)) / 2)


def test_accuracy_is_the_share_of_images_whose_highest_output_is_their_class() -> None:
    meter = TASK.meter()
    meter.update(torch.eye(3), torch.tensor([0, 1, 1]))
    meter.update(torch.eye(3)[:1], torch.tensor([0]))
    assert meter.result()["accuracy"] == 0.75


def test_chance_is_one_over_the_classes_and_their_logarithm() -> None:
    assert TASK.chance(10) == {"accuracy": 0.1, "loss": pytest.approx(2.302585)}


@pytest.mark.parametrize(
    ("targets", "accuracy", "loss"),
    [
        ([0, 1, 2, 3], 0.25, log(4)),
        ([0] * 200 + [1], 200 / 201, -200 / 201 * log(200 / 201) + log(201) / 201),
        ([2, 2, 2, 0], 0.75, -0.75 * log(0.75) + 0.25 * log(4)),
        ([1, 1, 1], 1.0, 0.0),
    ],
)
def test_chance_on_images_is_the_share_of_their_most_frequent_class(
    targets: list[int], accuracy: float, loss: float
) -> None:
    chance = TASK.chance(4, torch.tensor(targets))
    assert chance == {"accuracy": pytest.approx(accuracy), "loss": pytest.approx(loss)}


def test_chance_is_what_the_best_constant_answer_scores() -> None:
    targets = torch.tensor([0] * 7 + [1] * 2 + [2])
    meter = TASK.meter()
    meter.update(torch.tensor([[0.7, 0.2, 0.1]]).log().expand(10, 3), targets)
    assert meter.result() == pytest.approx(TASK.chance(3, targets))


def test_a_prediction_is_a_probability_of_each_class() -> None:
    shares = torch.tensor([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]])
    torch.testing.assert_close(TASK.predict(shares.log() + 5), shares)


def test_the_most_probable_labels_are_found() -> None:
    found = TASK.findings(torch.tensor([[0.125, 0.5, 0.375]]), CLASSES, 2)
    assert [*found] == [(Finding("b", 0.5), Finding("c", 0.375))]


SHARES = torch.tensor(
    [[0.8, 0.2, 0.0], [0.3, 0.6, 0.1], [0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.25, 0.75, 0.0]]
)
TRUE = torch.tensor([0, 0, 1, 0, 1])


def test_an_evaluation_counts_images_by_true_and_predicted_class() -> None:
    found = TASK.evaluate(SHARES, TRUE, CLASSES, {"accuracy": 0.6, "loss": 1.0})
    assert found.confusion == {(0, 0): 2, (0, 1): 1, (1, 0): 1, (1, 1): 1}
    assert found.confused == [("a", "b", 1), ("b", "a", 1)]
    assert found.classes == (
        ClassResult("a", 3, {"recall": 2 / 3, "precision": 2 / 3}),
        ClassResult("b", 2, {"recall": 0.5, "precision": 0.5}),
        ClassResult("c", 0, {"recall": None, "precision": None}),
    )
    assert found.absent == ("c",)
    assert found.chance == pytest.approx(0.6)


def test_the_surest_mistakes_come_first() -> None:
    found = TASK.evaluate(SHARES, TRUE, CLASSES, {"accuracy": 0.6, "loss": 1.0})
    assert [each.row for each in found.mistakes] == [2, 1]
    first = replace(found.mistakes[0], probability=0.9, true_probability=0.1)
    assert first == Mistake(2, "b", "a", 0.9, 0.1)
    assert found.mistakes[0].probability == pytest.approx(0.9)
    assert found.mistakes[0].true_probability == pytest.approx(0.1)


def test_the_interval_is_wilsons() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 857, table I: 81 of 263.
    assert TASK.interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert TASK.interval(1.0, 1) == pytest.approx((0.2065, 1.0), abs=5e-5)

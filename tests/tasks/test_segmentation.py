from dataclasses import replace
from math import log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from neptune_nas.data.images import IGNORED, ImageData, Split, image_data
from neptune_nas.data.source import Source, in_memory
from neptune_nas.tasks.augmentation import Augment, Normalizer, draw_moves
from neptune_nas.tasks.segmentation import Segmentation, confusion
from neptune_nas.tasks.task import Finding
from tests.tasks.contract import TaskContract

CLASSES = ("a", "b", "c")
TASK = Segmentation()
CPU = torch.device("cpu")


class TestSegmentation(TaskContract):
    def data(self) -> ImageData:
        return data()

    def network(self, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(5 * 7, 64),
            nn.ReLU(),
            nn.Linear(64, outputs * 5 * 7),
            nn.Unflatten(1, (outputs, 5, 7)),
        )

    def guesses(self, split: Split) -> Tensor:
        return torch.zeros(len(split), len(CLASSES), 5, 7)

    def perfect(self, split: Split) -> Tensor:
        return sure(split.targets, len(CLASSES))

    def mirrored(self, split: Split) -> Split:
        return replace(split, images=split.images.flip(-1), targets=split.targets.flip(-1))


def data() -> ImageData:
    train, validation, test = (noise(count, count) for count in (18, 9, 6))
    whole = in_memory(train.images, train.targets)
    source = Source("noise", CLASSES, whole, crop=1, task="segmentation")
    return image_data(source, (train, validation, test))


def noise(count: int, seed: int) -> Split:
    """Images of noise, 5 x 7 pixels, as many pixels of one class as of another, some of none."""
    generator = Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, 1, 5, 7), generator=generator)
    masks = torch.arange(35).remainder(3).repeat(count, 1).byte()
    masks[:, 33:] = IGNORED
    order = torch.stack([torch.randperm(35, generator=generator) for _ in range(count)])
    return Split(pixels.byte(), masks.gather(1, order).view(count, 5, 7))


def sure(masks: Tensor, classes: int) -> Tensor:
    """Return outputs `(N, classes, H, W)` that are sure of each pixel's class."""
    known = masks.long().where(masks != IGNORED, 0)
    return nn.functional.one_hot(known, classes).movedim(-1, 1) * 100.0


def measured(found: Tensor, masks: Tensor, classes: int = 3) -> dict[str, float]:
    meter = TASK.meter()
    meter.update(sure(found, classes), masks)
    return meter.result()


def mask(*rows: list[int]) -> Tensor:
    """Return one mask `(1, H, W)`."""
    return torch.tensor([rows], dtype=torch.uint8)


def test_the_loss_of_an_image_is_the_mean_over_its_pixels_that_count() -> None:
    shares = torch.tensor([[0.2, 0.5, 0.9], [0.8, 0.5, 0.1]]).log().view(1, 2, 1, 3)
    loss = TASK.loss(shares, mask([0, 1, IGNORED]))
    assert float(loss) == pytest.approx(-(log(0.2) + log(0.5)) / 2)


def test_an_image_weighs_the_same_however_many_of_its_pixels_count() -> None:
    outputs = torch.zeros(2, 4, 1, 3)
    masks = torch.cat([mask([0, 1, 2]), mask([3, IGNORED, IGNORED])])
    assert float(TASK.loss(outputs, masks)) == pytest.approx(2 * log(4))


def test_an_image_without_a_pixel_that_counts_adds_nothing_and_teaches_nothing() -> None:
    outputs = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = TASK.loss(outputs, mask([IGNORED] * 2, [IGNORED] * 2), 0.1)
    torch.autograd.backward(loss)
    assert float(loss.detach()) == 0
    assert outputs.grad is not None
    assert outputs.grad.eq(0).all()


def test_what_is_ignored_counts_in_no_metric() -> None:
    found, wanted = mask([0, 1, 2]), mask([0, 1, IGNORED])
    assert measured(found, wanted)["pixel_accuracy"] == 1
    assert measured(found, wanted)["miou"] == 1


def test_miou_is_the_mean_over_the_classes_that_occur() -> None:
    found = measured(mask([0, 0, 1, 1]), mask([0, 1, 1, 1]))
    assert found["miou"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["pixel_accuracy"] == 0.75


def test_a_class_that_is_only_predicted_counts_as_missed() -> None:
    assert measured(mask([0, 0, 2, 0]), mask([0, 0, 0, 0]))["miou"] == pytest.approx(0.75 / 2)


def test_miou_is_of_all_images_together_and_not_a_mean_over_images() -> None:
    found = torch.cat([mask([0, 0]), mask([0, 1])])
    wanted = torch.cat([mask([0, 0]), mask([1, 1])])
    assert measured(found, wanted)["miou"] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_without_a_pixel_that_counts_the_shares_are_zero() -> None:
    found = measured(mask([0]), mask([IGNORED]))
    assert found == {"miou": 0.0, "pixel_accuracy": 0.0, "loss": 0.0}


@given(st.integers(0, 99))
def test_the_confusion_counts_each_pair_of_classes(seed: int) -> None:
    generator = Generator().manual_seed(seed)
    found, wanted = (torch.randint(4, (3, 4, 5), generator=generator).byte() for _ in range(2))
    wanted[0, 0, 0] = IGNORED
    counts = confusion(found, wanted, 4)
    for true in range(4):
        for predicted in range(4):
            both = (wanted == true) & (found == predicted)
            assert counts[true, predicted] == both.sum()


def test_chance_is_one_class_everywhere() -> None:
    masks = mask([0, 0, 0, 1], [0, 0, 2, IGNORED])
    chance = TASK.chance(4, masks)
    everywhere = measured(torch.zeros_like(masks), masks, 4)
    assert chance["miou"] == pytest.approx(everywhere["miou"]) == pytest.approx(5 / 7 / 3)
    assert chance["pixel_accuracy"] == pytest.approx(everywhere["pixel_accuracy"])


def test_the_loss_of_chance_is_that_of_the_best_constant_shares() -> None:
    masks = torch.cat([mask([0, 0]), mask([1, IGNORED]), mask([IGNORED, IGNORED])])
    meter = TASK.meter()
    meter.update(torch.zeros(3, 2, 1, 2), masks)
    assert TASK.chance(2, masks)["loss"] == pytest.approx(meter.result()["loss"])


def test_a_crop_pads_a_mask_with_pixels_that_are_ignored() -> None:
    batch = Split(torch.full((40, 1, 5, 7), 9).byte(), torch.full((40, 5, 7), 1).byte())
    moves = draw_moves(Augment(crop=2), batch.images, Generator().manual_seed(0))
    _, masks = TASK.views(batch, moves, Normalizer(data(), CPU))
    down, right = moves.corners.T
    assert {*masks.flatten().tolist()} == {1, IGNORED}
    for view, y, x in zip(masks, down.tolist(), right.tolist(), strict=True):
        kept = (5 - abs(y - 2)) * (7 - abs(x - 2))
        assert int((view == 1).sum()) == kept


def test_masks_move_with_their_images() -> None:
    pixels = torch.arange(35).remainder(3).repeat(20, 1).byte().view(20, 5, 7)
    batch, plain = Split(pixels.add(1).unsqueeze(1), pixels), Normalizer(UNIT, CPU)
    moves = draw_moves(Augment(crop=2, flip=True), batch.images, Generator().manual_seed(0))
    images, masks = TASK.views(batch, moves, plain)
    assert not torch.equal(masks, pixels)
    assert torch.equal(images[:, 0].mul(255).round().byte(), masks.add(1))


class _Unit:
    mean, std = (0.0,), (1.0,)


UNIT = _Unit()


def test_a_blanked_square_keeps_its_classes() -> None:
    batch = noise(6, 1)
    moves = draw_moves(Augment(cutout=3), batch.images, Generator().manual_seed(0))
    images, masks = TASK.views(batch, moves, Normalizer(data(), CPU))
    assert not torch.equal(images, Normalizer(data(), CPU)(batch.images))
    assert torch.equal(masks, batch.targets)


@pytest.mark.parametrize("policy", ["trivial", "rand"])
def test_a_policy_moves_no_pixel(policy: str) -> None:
    image = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    image[..., 4:12, 4:12] = 200
    batch = Split(image.repeat(400, 1, 1, 1), torch.zeros(400, 16, 16, dtype=torch.uint8))
    for seed in range(4):
        augment = Augment(policy="trivial" if policy == "trivial" else "rand")
        moves = draw_moves(augment, batch.images, Generator().manual_seed(seed))
        images, _ = TASK.views(batch, moves, Normalizer(UNIT, CPU))
        for part in (images[..., 5:11, 5:11], images[..., :3, :], images[..., 13:, :]):
            assert part.flatten(1).std(1).max() < 0.01


def test_a_prediction_is_the_probability_of_each_class_at_each_pixel() -> None:
    shares = torch.tensor([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]]).T.reshape(1, 3, 1, 2)
    torch.testing.assert_close(TASK.predict(shares.log() + 5), shares)


def test_the_labels_of_most_pixels_are_found_with_their_shares() -> None:
    predictions = sure(mask([1, 1], [2, 1]), 3).softmax(1)
    assert [*TASK.findings(predictions, CLASSES, 3)] == [(Finding("b", 0.75), Finding("c", 0.25))]


def test_an_evaluation_is_the_same_of_condensed_predictions() -> None:
    batch = noise(6, 2)
    predictions = torch.randn(6, 3, 5, 7, generator=Generator().manual_seed(0)).softmax(1)
    small = TASK.condense(predictions)
    assert (small.dtype, small.shape) == (torch.uint8, (6, 5, 7))
    values = {"miou": 0.5, "pixel_accuracy": 0.5, "loss": 1.0}
    whole = TASK.evaluate(predictions, batch.targets, CLASSES, values)
    assert TASK.evaluate(small, batch.targets, CLASSES, values) == whole


FOUND = torch.cat([mask([0, 0, 1, 1]), mask([0, 0, 0, 0]), mask([1, 1, 1, 0])])
WANTED = torch.cat([mask([0, 0, 1, 1]), mask([0, 0, 0, IGNORED]), mask([1, 0, 0, 0])])


def test_an_evaluation_has_the_shares_of_each_class() -> None:
    values = measured(FOUND, WANTED)
    found = TASK.evaluate(FOUND, WANTED, CLASSES, values)
    first, second, third = found.classes
    assert (first.label, first.images) == ("a", 3)
    assert first.shares == {
        "IoU": pytest.approx(6 / 8),
        "recall": pytest.approx(6 / 8),
        "precision": 1.0,
        "pixels": pytest.approx(8 / 11),
    }
    assert second.shares["IoU"] == pytest.approx(3 / 5)
    assert (third.images, third.shares["IoU"], third.shares["pixels"]) == (0, None, 0.0)
    assert values["miou"] == pytest.approx((6 / 8 + 3 / 5) / 2)


def test_the_worst_images_come_first_with_the_classes_most_mistaken_in_them() -> None:
    found = TASK.evaluate(FOUND, WANTED, CLASSES, measured(FOUND, WANTED))
    (worst,) = found.mistakes
    assert (worst.row, worst.label, worst.predicted) == (2, "a", "b")
    assert (worst.probability, worst.true_probability) == (0.5, 0.5)
    assert found.confused == [("a", "b", 2)]
    assert found.words.unit == "pixel"


def test_a_class_that_is_only_predicted_was_measured() -> None:
    targets = mask([0, 0, 0, 0])
    values = {"miou": 0.25, "pixel_accuracy": 0.5, "loss": 1.0}
    found = TASK.evaluate(mask([0, 0, 1, 1]), targets, CLASSES, values)
    assert [each.shares["IoU"] for each in found.classes] == [0.5, 0.0, None]
    assert found.absent == ("c",)

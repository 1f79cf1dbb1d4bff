from collections import Counter
from dataclasses import replace
from math import exp

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from neptune_nas.data.images import BOX, NO_BOX, ImageData, Split, image_data
from neptune_nas.data.source import Source, in_memory
from neptune_nas.errors import OptionError
from neptune_nas.nn.dense_heads import DISTANCES, LENGTHS, POINT
from neptune_nas.tasks.average_precision import average_precisions
from neptune_nas.tasks.boxes import (
    FOUND,
    MOST,
    assigned,
    box_losses,
    corners,
    exist,
    found_boxes,
    moved_boxes,
    overlaps,
)
from neptune_nas.tasks.detection import SURE, Detection
from neptune_nas.tasks.evaluation import NOTHING
from tests.tasks.contract import TaskContract

CLASSES = ("a", "b", "c")
TASK = Detection()
HEIGHT, WIDTH = 9, 11
POINTS = HEIGHT * WIDTH
SURELY = 100.0


class TestDetection(TaskContract):
    def data(self) -> ImageData:
        return data()

    def network(self, outputs: int) -> nn.Module:
        return _Points(outputs)

    def guesses(self, split: Split) -> Tensor:
        return points_of(len(split))

    def perfect(self, split: Split) -> Tensor:
        return perfect(split.targets)

    def mirrored(self, split: Split) -> Split:
        targets = split.targets.clone()
        left, right = targets[..., 0].clone(), targets[..., 2].clone()
        targets[..., 0], targets[..., 2] = WIDTH - right, WIDTH - left
        there = exist(split.targets).unsqueeze(-1)
        return replace(
            split, images=split.images.flip(-1), targets=torch.where(there, targets, NO_BOX)
        )


class _Points(nn.Module):
    """A network with a point in each pixel."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(POINTS, 64), nn.ReLU(), nn.Linear(64, POINTS * (4 + outputs))
        )

    def forward(self, images: Tensor) -> Tensor:
        found = self.body(images).view(len(images), POINTS, -1)
        lengths = found[..., :4].clamp(-5, 5).exp()
        return torch.cat((points_of(len(images))[..., POINT], lengths, found[..., 4:] - 3), -1)


def points_of(count: int, classes: int = len(CLASSES)) -> Tensor:
    """Return outputs with a point in the centre of each pixel, no sizes, and no classes."""
    outputs = torch.full((count, POINTS, LENGTHS + classes), -SURELY)
    down, right = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    outputs[..., POINT] = torch.stack((right, down), -1).flatten(0, 1) + 0.5
    outputs[..., DISTANCES] = 0.0
    return outputs


def perfect(targets: Tensor) -> Tensor:
    """Return outputs whose points in a box have this box, and are sure of its class."""
    outputs = points_of(len(targets))
    for row, boxes in enumerate(targets):
        for left, top, right, bottom, label in boxes[exist(boxes)].tolist():
            x, y = outputs[row, :, POINT].unbind(-1)
            inside = (x > left) & (x < right) & (y > top) & (y < bottom)
            sides = torch.stack((x - left, y - top, right - x, bottom - y), -1)
            outputs[row, inside, DISTANCES] = sides[inside]
            outputs[row, inside, LENGTHS + int(label)] = SURELY
    return outputs


def data() -> ImageData:
    train, validation, test = (noise(count, count) for count in (18, 9, 6))
    whole = in_memory(train.images, train.targets)
    source = Source("noise", CLASSES, whole, crop=1, task="detection")
    return image_data(source, (train, validation, test))


def noise(count: int, seed: int) -> Split:
    """Images of noise, 9 x 11 pixels, with two boxes side by side, or with one."""
    generator = Generator().manual_seed(seed)

    def draw(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (count,), generator=generator).float()

    pixels = torch.randint(256, (count, 1, HEIGHT, WIDTH), generator=generator)
    boxes = torch.full((count, 3, BOX), NO_BOX)
    for place, start in enumerate((0, 6)):
        left, top = start + draw(0, 2), draw(0, 4)
        columns = (left, top, left + draw(1, 3), top + draw(1, 3), draw(0, 3))
        boxes[:, place] = torch.stack(columns, 1)
    boxes[::3, 1] = NO_BOX
    return Split(pixels.byte(), boxes)


def box(*numbers: float) -> Tensor:
    """Return one image with one box, `(1, 1, 5 or 6)`."""
    return torch.tensor([[numbers]], dtype=torch.float32)


def rows(*boxes: tuple[float, ...]) -> Tensor:
    """Return the boxes of one image, `(1, K, 5 or 6)`."""
    return torch.tensor([boxes], dtype=torch.float32)


@given(st.lists(st.integers(0, 20), min_size=8, max_size=8))
def test_iou_is_the_share_of_pixels_in_both_boxes(numbers: list[int]) -> None:
    one, other = (
        [min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1]
        for a, b, c, d in (numbers[:4], numbers[4:])
    )
    grids = []
    for left, top, right, bottom in (one, other):
        grid = np.zeros((22, 22), bool)
        grid[top:bottom, left:right] = True
        grids.append(grid)
    share = (grids[0] & grids[1]).sum() / (grids[0] | grids[1]).sum()
    found = overlaps(torch.tensor([one]).float(), torch.tensor([other]).float())
    assert float(found) == pytest.approx(float(share))


def test_every_box_is_learned_by_points_inside_it() -> None:
    split = noise(18, 0)
    found = assigned(points_of(18), split.targets)
    for row in range(18):
        for place in exist(split.targets[row]).nonzero().flatten().tolist():
            learning = points_of(1)[0, found[row] == place, POINT]
            left, top, right, bottom, _ = split.targets[row, place].tolist()
            assert len(learning) >= 1
            assert bool(((learning > torch.tensor([left, top])).all(1)).all())
            assert bool(((learning < torch.tensor([right, bottom])).all(1)).all())


def test_a_box_between_the_points_is_learned_by_the_nearest_one() -> None:
    found = assigned(points_of(1), box(3.6, 4.6, 3.9, 4.9, 1))
    assert (found >= 0).sum() == 1
    assert points_of(1)[0, found[0] >= 0, POINT].tolist() == [[3.5, 4.5]]


def test_images_without_boxes_teach_that_there_is_none() -> None:
    empty = torch.full((2, 3, BOX), NO_BOX)
    assert bool((assigned(points_of(2), empty) == -1).all())
    assert float(TASK.loss(points_of(2), empty)) == 0
    assert float(TASK.loss(perfect(noise(2, 1).targets), empty)) > 1


def test_padding_rows_and_their_number_change_no_loss() -> None:
    split = noise(6, 3)
    longer = torch.cat((split.targets, torch.full((6, 4, BOX), NO_BOX)), 1)
    outputs = points_of(6) + 0.1 * torch.randn(1, generator=Generator().manual_seed(0))
    torch.testing.assert_close(TASK.loss(outputs, longer), TASK.loss(outputs, split.targets))


def test_the_loss_of_boxes_without_a_size_is_that_of_chance() -> None:
    losses = box_losses(torch.tensor([[2.5, 2.5, 2.5, 2.5]]), torch.tensor([[1.0, 1.0, 4.0, 4.0]]))
    assert float(losses) == pytest.approx(TASK.chance(3)["loss"])


def test_smoothing_asks_for_less_certainty() -> None:
    split = noise(4, 5)
    outputs = perfect(split.targets)
    assert float(TASK.loss(outputs, split.targets)) == pytest.approx(0, abs=1e-4)
    assert float(TASK.loss(outputs, split.targets, 0.1)) > 0.1


def test_found_boxes_are_those_of_the_points() -> None:
    split = noise(5, 2)
    found = found_boxes(perfect(split.targets))
    assert found.shape == (5, MOST, FOUND)
    for each, true in zip(found, split.targets, strict=True):
        taken = sorted(each[exist(each)][:, :BOX].tolist())
        assert np.array(taken) == pytest.approx(np.array(sorted(true[exist(true)].tolist())))
        assert each[exist(each)][:, BOX].tolist() == pytest.approx([1.0] * len(taken))


def test_boxes_of_two_classes_may_overlap_but_not_of_one() -> None:
    outputs = points_of(1)
    outputs[0, 40:42, DISTANCES] = 3.0
    outputs[0, 40, LENGTHS:], outputs[0, 41, LENGTHS:] = torch.tensor([[2.0], [1.0]])
    one = found_boxes(outputs)[0]
    assert exist(one).sum() == len(CLASSES)
    assert one[exist(one)][:, BOX].tolist() == pytest.approx([1 / (1 + exp(-2))] * 3)


@given(st.integers(-3, 3), st.integers(-3, 3), st.booleans())
def test_moved_boxes_hold_the_pixels_that_they_held(right: int, down: int, turned: bool) -> None:
    left, top, end, bottom = 4, 3, 8, 7
    image = torch.zeros(1, 1, 12, 13)
    image[..., top:bottom, left:end] = 1
    moved = torch.zeros_like(image)
    moved[..., max(down, 0) : 12 + down, max(right, 0) : 13 + right] = image[
        ..., max(-down, 0) : 12 - down, max(-right, 0) : 13 - right
    ]
    moved = moved.flip(-1) if turned else moved
    found = moved_boxes(
        box(left, top, end, bottom, 2),
        torch.tensor([[right, down]]),
        torch.tensor([turned]),
        (12, 13),
    )
    places = moved[0, 0].nonzero()
    (y1, x1), (y2, x2) = places.amin(0).tolist(), (places.amax(0) + 1).tolist()
    assert found[0, 0].tolist() == [x1, y1, x2, y2, 2]


def test_a_box_whose_centre_has_left_the_image_is_gone() -> None:
    targets, straight = box(0, 0, 4, 4, 1), torch.tensor([False])
    stays = moved_boxes(targets, torch.tensor([[-2, 0]]), straight, (10, 10))
    gone = moved_boxes(targets, torch.tensor([[-3, 0]]), straight, (10, 10))
    assert stays.tolist() == [[[0, 0, 2, 4, 1]]]
    assert gone.tolist() == [[[NO_BOX] * BOX]]


def test_average_precision_is_that_of_the_formula() -> None:
    """Two of three objects found, with a wrong box between: precision 1 up to a recall of a third.

    Of 101 recalls, 34 lie up to 1/3 (precision 1), 33 up to 2/3 (precision 2/3), the rest is 0.
    """
    targets = rows((0, 0, 10, 10, 0), (20, 0, 30, 10, 0), (40, 0, 50, 10, 0))
    found = rows((0, 0, 10, 10, 0, 0.9), (60, 0, 70, 10, 0, 0.8), (20, 0, 30, 10, 0, 0.7))
    precisions = average_precisions(found, targets, 2)
    assert precisions.shape == (10, 2)
    assert precisions[:, 0].tolist() == pytest.approx([(34 + 33 * 2 / 3) / 101] * 10)
    assert bool(precisions[:, 1].isnan().all())


@pytest.mark.parametrize(("right", "counted"), [(10, 10), (9, 9), (7, 5), (4, 0)])
def test_a_box_counts_where_it_overlaps_enough(right: int, counted: int) -> None:
    precisions = average_precisions(rows((0, 0, right, 10, 0, 0.9)), rows((0, 0, 10, 10, 0)), 1)
    assert int((precisions > 0.99).sum()) == counted


def test_nothing_found_scores_nothing() -> None:
    nothing = torch.full((1, 2, FOUND), NO_BOX)
    assert float(average_precisions(nothing, box(0, 0, 5, 5, 0), 1).sum()) == 0


def test_a_split_without_boxes_scores_nothing() -> None:
    meter = TASK.meter()
    meter.update(points_of(2), torch.full((2, 1, BOX), NO_BOX))
    assert meter.result() == {"map50": 0, "map": 0, "loss": 0}


def evaluated(found: Tensor, targets: Tensor) -> Counter[tuple[int, int]]:
    """Return the confusion of boxes that are found in one image."""
    values = dict.fromkeys(TASK.metrics, 0.0)
    return Counter(TASK.evaluate(found, targets, CLASSES, values).confusion)


def test_the_confusion_counts_right_wrong_missed_and_needless_boxes() -> None:
    targets = rows((0, 0, 10, 10, 0), (20, 0, 30, 10, 1), (40, 0, 50, 10, 2))
    found = rows(
        (0, 0, 10, 9, 0, 0.9),
        (1, 0, 10, 10, 0, 0.8),
        (20, 0, 30, 10, 2, 0.7),
        (60, 0, 70, 10, 1, 0.6),
        (40, 0, 50, 10, 2, SURE - 0.01),
    )
    assert evaluated(found, targets) == {
        (0, 0): 1,
        (NOTHING, 0): 1,
        (1, 2): 1,
        (NOTHING, 1): 1,
        (2, NOTHING): 1,
    }


def test_a_box_of_the_right_class_is_matched_before_a_nearer_one() -> None:
    targets = rows((0, 0, 10, 10, 0), (0, 0, 10, 8, 1))
    assert evaluated(rows((0, 0, 10, 10, 1, 0.9), (0, 0, 10, 10, 0, 0.8)), targets) == {
        (0, 0): 1,
        (1, 1): 1,
    }


def test_the_worst_image_is_the_one_with_the_largest_share_of_wrong_boxes() -> None:
    targets = torch.cat((box(0, 0, 9, 9, 0), box(0, 0, 9, 9, 1), box(0, 0, 9, 9, 2)))
    found = torch.cat(
        [
            torch.cat((box(0, 0, 9, 9, 0, 0.9), box(0, 0, 9, 9, 2, 0.8)), 1),
            torch.cat((box(0, 0, 9, 9, 1, 0.9), torch.full((1, 1, FOUND), NO_BOX)), 1),
            torch.full((1, 2, FOUND), NO_BOX),
        ]
    )
    result = TASK.evaluate(found, targets, CLASSES, dict.fromkeys(TASK.metrics, 0.0))
    told = [(each.row, each.label, each.predicted, each.probability) for each in result.mistakes]
    assert told == [(2, "c", "nothing", 1.0), (0, "nothing", "c", 0.5)]
    assert result.places == (0, 1, 2, NOTHING)


def test_shares_of_a_class_are_those_of_its_boxes() -> None:
    targets = rows((0, 0, 10, 10, 0), (20, 0, 30, 10, 0))
    found = rows((0, 0, 10, 10, 0, 0.9), (40, 0, 50, 10, 0, 0.5), (60, 0, 70, 10, 0, 0.45))
    result = TASK.evaluate(found, targets, CLASSES, dict.fromkeys(TASK.metrics, 0.0))
    shares = {**result.classes[0].shares}
    assert shares["recall"] == 0.5
    assert shares["precision"] == pytest.approx(1 / 3)
    assert {*result.classes[1].shares.values()} == {None}
    assert result.absent == ("b", "c")


def test_findings_have_their_box_and_only_sure_ones_are_told() -> None:
    found = rows((1, 2, 3, 4, 2, 0.9), (5, 6, 7, 8, 0, SURE - 0.01))
    ((only,),) = TASK.findings(found, CLASSES, 9)
    assert (only.label, only.box) == ("c", (1, 2, 3, 4))


def test_pictures_show_the_boxes_in_colour() -> None:
    pixels = torch.zeros(1, 20, 30, dtype=torch.uint8)
    drawn = TASK.pictures(pixels, rows((4, 5, 20, 15, 1, 0.9))[0], CLASSES)
    plain = TASK.pictures(pixels, rows((4, 5, 20, 15, 1, SURE / 2))[0], CLASSES)
    assert [*drawn] == ["boxes"]
    assert drawn["boxes"].size == (480, 320)
    assert {colour for _, colour in plain["boxes"].getcolors() or []} == {(0, 0, 0)}
    assert len(drawn["boxes"].getcolors() or []) > 1


def test_a_teacher_must_have_the_points_of_the_network() -> None:
    with pytest.raises(OptionError, match="must have as many points as the network, but has 50"):
        TASK.distil(points_of(1), points_of(1)[:, :50], 1.0)


def test_classes_are_put_in_another_order_behind_the_lengths() -> None:
    outputs = torch.arange(LENGTHS + 3).float().view(1, 1, -1)
    assert TASK.ordered(outputs, [2, 0, 1])[0, 0].tolist() == [0, 1, 2, 3, 4, 5, 8, 6, 7]


def test_corners_are_the_point_less_and_plus_its_distances() -> None:
    outputs = torch.tensor([[[10.0, 20.0, 1.0, 2.0, 3.0, 4.0, 0.0]]])
    assert corners(outputs).tolist() == [[[9, 18, 13, 24]]]

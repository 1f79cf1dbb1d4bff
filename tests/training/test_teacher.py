"""A network that learns from a teacher's outputs, beside its targets."""

from dataclasses import replace
from math import log
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.errors import OptionError
from neptune_nas.tasks.augmentation import Augment, Normalizer
from neptune_nas.tasks.classification import Classification
from neptune_nas.training.loop import epoch_moves, train
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.resumable_loop import Course, train_long
from neptune_nas.training.state import make_setup, make_state
from neptune_nas.training.teacher import (
    Lesson,
    Teaching,
    largest_guess,
    lesson_loss,
    view_moves,
)
from tests.training.data import easy_data, endless, in_files, small_network, weights

CPU = torch.device("cpu")
DATA = easy_data(crop=1, flip=True)
RECIPE = Recipe(batch_size=20, lr=0.02, precision="fp32", teacher_weight=1.0)
TASK = Classification()


def teaching(views: int, outputs: Tensor | None = None) -> Teaching:
    """Return what a teacher says that takes dark images for light ones, and the reverse."""
    if outputs is None:
        outputs = 8.0 * nn.functional.one_hot(1 - DATA.train.targets, 2)
    return Teaching(outputs.half().expand(max(views, 1), -1, -1), views)


def test_the_loss_is_shared_between_targets_and_teacher() -> None:
    outputs, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    taught = torch.randn(5, 3)
    recipe = Recipe(teacher_weight=0.3, temperature=2, label_smoothing=0.1)
    found = lesson_loss(TASK, recipe, outputs, Lesson(targets, taught))
    own, told = TASK.loss(outputs, targets, 0.1), TASK.distil(outputs, taught, 2)
    torch.testing.assert_close(found, 0.7 * own + 0.3 * told)
    torch.testing.assert_close(lesson_loss(TASK, recipe, outputs, Lesson(targets)), own)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_a_divergence_is_none_from_the_teacher_itself_and_more_from_others(
    temperature: float,
) -> None:
    taught = torch.randn(4, 3)
    assert float(TASK.distil(taught + 5, taught, temperature)) == pytest.approx(0, abs=1e-4)
    assert float(TASK.distil(-taught, taught, temperature)) > 0.1


def test_at_temperature_one_a_divergence_is_cross_entropy_less_entropy() -> None:
    outputs, taught = torch.randn(4, 3), torch.randn(4, 3)
    shares = taught.softmax(1)
    entropy = float(torch.special.entr(shares).sum())
    crossed = float(nn.functional.cross_entropy(outputs, shares, reduction="sum"))
    assert float(TASK.distil(outputs, taught, 1.0)) == pytest.approx(crossed - entropy, rel=1e-4)


def test_a_divergence_adds_up_over_parts_of_a_batch() -> None:
    outputs, taught = torch.randn(6, 3), torch.randn(6, 3)
    parts = TASK.distil(outputs[:2], taught[:2], 4) + TASK.distil(outputs[2:], taught[2:], 4)
    torch.testing.assert_close(TASK.distil(outputs, taught, 4), parts)


def test_views_are_equal_for_equal_numbers_and_differ_for_others() -> None:
    augment, images = Augment(crop=2, flip=True, cutout=2, policy="trivial"), DATA.train.images
    normalize = Normalizer(DATA, CPU)
    first, again, other = (
        TASK.views(DATA.train, view_moves(augment, images, number), normalize)[0]
        for number in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("seed", [0, 2])
def test_epochs_go_through_the_views_in_turn_and_seeds_begin_elsewhere(seed: int) -> None:
    setup = make_setup(small_network(), DATA, RECIPE, CPU, teaching=teaching(3))
    state = make_state(setup, 4, seed)
    seen = []
    for _ in range(4):
        seen.append(epoch_moves(setup, state).corners)
        state.history.append(None)  # type: ignore[arg-type]  # only their number counts
    views = [view_moves(setup.augment, DATA.train.images, view).corners for view in range(3)]
    wanted = [views[(epoch + seed) % 3] for epoch in range(4)]
    assert all(map(torch.equal, seen, wanted))


def test_without_views_each_epoch_moves_the_images_anew() -> None:
    setup = make_setup(small_network(), DATA, RECIPE, CPU, teaching=teaching(0))
    state = make_state(setup, 2, 0)
    assert not torch.equal(epoch_moves(setup, state).corners, epoch_moves(setup, state).corners)


@pytest.mark.parametrize("views", [0, 1, 3])
def test_a_network_learns_what_its_teacher_says(views: int) -> None:
    result = train(small_network(), DATA, RECIPE, 6, teaching=teaching(views))
    assert result.values["accuracy"] == 0.0


def test_a_weight_of_none_leaves_the_targets() -> None:
    recipe = replace(RECIPE, teacher_weight=0.0)
    assert train(small_network(), DATA, recipe, 6, teaching=teaching(2)).values["accuracy"] == 1.0


@pytest.mark.parametrize(("mixup", "cutmix"), [(1.0, 0.0), (0.0, 1.0)])
def test_outputs_are_mixed_as_images_are(mixup: float, cutmix: float) -> None:
    recipe = replace(RECIPE, mixup=mixup, cutmix=cutmix)
    assert train(small_network(), DATA, recipe, 8, teaching=teaching(2)).values["accuracy"] == 0.0


def test_each_image_gets_its_own_outputs_of_the_view() -> None:
    outputs = torch.arange(2 * 60 * 2.0).view(2, 60, 2)
    found = Teaching(outputs, 2).rows(1, torch.tensor([4, 0]), CPU)
    assert torch.equal(found, outputs[1, [4, 0]])


def test_streamed_images_learn_the_same(tmp_path: Path) -> None:
    streamed = endless(in_files(DATA, tmp_path))
    networks = [small_network(), small_network()]
    for network, data in zip(networks, (DATA, streamed), strict=True):
        train(network, data, RECIPE, 2, teaching=teaching(2))
    assert torch.equal(weights(networks[0]), weights(networks[1]))


def test_a_resumed_run_goes_on_with_its_views(tmp_path: Path) -> None:
    def course(name: str, stop: int = 99) -> Course:
        def watch(history: object) -> None:
            if len(history) == stop:  # type: ignore[arg-type]
                raise KeyboardInterrupt

        return Course(4, 1, tmp_path / name, watch)

    taught = teaching(3, torch.randn(60, 2))
    whole = train_long(small_network(), DATA, RECIPE, course("a"), teaching=taught)
    with pytest.raises(KeyboardInterrupt):
        train_long(small_network(), DATA, RECIPE, course("b", 2), teaching=taught)
    again = train_long(small_network(), DATA, RECIPE, course("b"), teaching=taught)
    for name, value in whole.weights.items():
        assert torch.equal(value, again.weights[name]), name


def test_a_sure_teacher_is_no_divergence() -> None:
    sure = 60_000.0 * nn.functional.one_hot(1 - DATA.train.targets, 2)
    recipe = replace(RECIPE, temperature=20.0, lr=1e-3)
    assert train(small_network(), DATA, recipe, 1, teaching=teaching(1, sure)).failure is None
    assert largest_guess(log(2), recipe) == pytest.approx(400 * log(2))


@pytest.mark.parametrize(
    ("field", "value"), [("teacher_weight", 1.1), ("teacher_weight", -0.1), ("temperature", 0.0)]
)
def test_a_recipe_refuses_what_is_out_of_range(field: str, value: float) -> None:
    with pytest.raises(OptionError, match=field):
        Recipe(**{field: value})  # type: ignore[arg-type]

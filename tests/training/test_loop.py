import re
from dataclasses import replace
from math import ceil, log
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from neptune_nas.devices.device import FORMATS
from neptune_nas.devices.numerics import Layout, Numerics, Precision
from neptune_nas.errors import OptionError
from neptune_nas.nn.convolutions import SampledConv
from neptune_nas.training.loop import (
    DivergedError,
    batches,
    check_loss,
    epoch_moves,
    run_epochs,
    take_step,
    train,
)
from neptune_nas.training.mixing import mix
from neptune_nas.training.recipe import Optimizer, Recipe, Schedule
from neptune_nas.training.state import make_setup, make_state
from tests.training.data import easy_data, small_network, weights

RECIPE = Recipe(batch_size=20, lr=0.02, precision="fp32")
DATA = easy_data()


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_every_optimizer_learns(optimizer: Optimizer) -> None:
    result = train(small_network(), DATA, replace(RECIPE, optimizer=optimizer), epochs=6)
    assert result.values["accuracy"] == 1.0


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "plateau", "constant"])
def test_every_schedule_learns(schedule: Schedule) -> None:
    result = train(small_network(), DATA, replace(RECIPE, schedule=schedule), epochs=6)
    assert result.values["accuracy"] == 1.0


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
def test_every_precision_learns(precision: Precision) -> None:
    result = train(small_network(), DATA, replace(RECIPE, precision=precision), epochs=6)
    assert result.values["accuracy"] == 1.0


@pytest.mark.parametrize("layout", get_args(Layout))
def test_every_layout_learns_and_is_the_networks(layout: Layout) -> None:
    network = small_network()
    result = train(network, DATA, RECIPE, epochs=6, numerics=Numerics("fp32", layout))
    assert result.values["accuracy"] == 1.0
    weight = network.get_parameter("0.weight")
    assert weight.is_contiguous(memory_format=FORMATS[layout])


def test_convolutions_of_any_network_are_mended_before_they_train() -> None:
    data = easy_data()
    conv = nn.Conv2d(data.input_shape[0], len(data.classes), 1, 2)
    network = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    train(network, data, Recipe(precision="fp32"), 1)
    assert isinstance(network[0], SampledConv)


def test_a_mode_has_the_say_over_the_recipes_precision() -> None:
    seen: list[torch.dtype] = []
    network = small_network()
    network[0].register_forward_hook(lambda *given: seen.append(given[2].dtype))
    train(network, DATA, RECIPE, epochs=1, numerics=Numerics("bf16"))
    assert {*seen} == {torch.bfloat16}


def test_equal_seeds_give_equal_weights() -> None:
    first, second = small_network(0.5), small_network(0.5)
    recipe = replace(RECIPE, crop=1, flip=True, cutout=2)
    train(first, DATA, recipe, 2, seed=7)
    torch.rand(3)
    train(second, DATA, recipe, 2, seed=7)
    assert torch.equal(weights(first), weights(second))


def test_other_seeds_give_other_weights() -> None:
    first, second = small_network(), small_network()
    train(first, DATA, RECIPE, 1, seed=0)
    train(second, DATA, RECIPE, 1, seed=1)
    assert not torch.equal(weights(first), weights(second))


def test_the_random_state_of_the_caller_is_left_alone() -> None:
    before = torch.get_rng_state()
    train(small_network(0.5), DATA, RECIPE, 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_data_smaller_than_a_batch_still_train() -> None:
    result = train(small_network(), easy_data(train=6), RECIPE, epochs=20)
    assert result.values["accuracy"] > 0.9


@given(st.integers(2, 300), st.integers(2, 64), st.integers(0, 99))
def test_batches_hold_every_image_once(count: int, size: int, seed: int) -> None:
    found = torch.cat(batches(count, size, torch.Generator().manual_seed(seed)))
    assert found.sort().values.tolist() == list(range(count))


@given(st.integers(2, 300), st.integers(3, 64))
def test_no_batch_is_too_large_or_a_single_image(count: int, size: int) -> None:
    lengths = [len(rows) for rows in batches(count, size, torch.Generator())]
    assert max(lengths) <= size
    assert min(lengths) >= 2
    assert max(lengths) - min(lengths) <= 1


def test_an_odd_image_joins_a_batch_of_two() -> None:
    assert [len(rows) for rows in batches(5, 2, torch.Generator())] == [3, 2]
    assert [len(rows) for rows in batches(1, 2, torch.Generator())] == [1]


@given(st.integers(2, 300), st.integers(3, 64))
def test_any_other_size_of_batch_is_kept_to(count: int, size: int) -> None:
    assert len(batches(count, size, torch.Generator())) == ceil(count / size)


def test_the_history_has_every_epoch_and_measures_the_last() -> None:
    result = train(small_network(), DATA, RECIPE, epochs=3)
    assert [epoch.number for epoch in result.history] == [1, 2, 3]
    assert [epoch.values for epoch in result.history] == [{}, {}, result.values]
    assert result.history[0].loss > result.history[2].loss


def test_a_curve_measures_every_epoch() -> None:
    result = train(small_network(), DATA, RECIPE, epochs=3, curve=True)
    assert all({*epoch.values} == {"accuracy", "loss"} for epoch in result.history)


def test_the_speed_and_the_memory_are_reported() -> None:
    result = train(small_network(), DATA, RECIPE, epochs=1)
    assert result.images_per_second > 0
    assert result.seconds > result.history[0].seconds
    assert result.peak_memory >= 0


def test_a_loss_that_is_no_number_stops_the_run_with_a_reason() -> None:
    network = small_network()
    nn.init.constant_(list(network.parameters())[-1], float("nan"))
    result = train(network, DATA, RECIPE, epochs=3)
    assert result.values == {"accuracy": 0.0, "loss": float("inf")}
    assert result.history == ()
    assert result.failure == ("diverged: the training loss was nan in epoch 1 of 3")


def test_a_rate_that_is_far_too_high_stops_the_run() -> None:
    recipe = replace(RECIPE, optimizer="sgd", lr=100.0, clip_norm=0.0, schedule="constant")
    result = train(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), DATA, recipe, epochs=30)
    assert result.failure is not None
    assert re.match(r"diverged: the training loss was .*, above 34\.7, in epoch 1 ", result.failure)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1000.0])
def test_a_hopeless_loss_is_refused(loss: float) -> None:
    with pytest.raises(DivergedError, match="the training loss was"):
        check_loss(loss, guess=log(10))


def test_a_loss_above_that_of_guessing_is_no_divergence() -> None:
    check_loss(12.0, guess=log(10))


class Clumsy(nn.Module):
    """Runs out of memory on any batch of more than `most` images while it trains."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.inner = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        y: Tensor = self.inner(x)
        return y


def test_out_of_memory_halves_the_batch_with_the_same_result() -> None:
    torch.manual_seed(0)
    clumsy, able = Clumsy(most=10), Clumsy(most=20)
    able.load_state_dict(clumsy.state_dict())
    for network in (clumsy, able):
        assert train(network, DATA, RECIPE, epochs=2).failure is None
    torch.testing.assert_close(weights(clumsy), weights(able), atol=1e-4, rtol=1e-4)


def test_out_of_memory_on_half_a_batch_is_the_callers_to_judge() -> None:
    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        train(Clumsy(most=9), DATA, RECIPE, epochs=1)


class Broken(nn.Module):
    """Fails on every batch, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.inner = small_network()

    def forward(self, _: Tensor) -> Tensor:
        self.calls += 1
        raise RuntimeError("shapes do not match")


def test_another_error_of_the_network_is_not_tried_again() -> None:
    network = Broken()
    with pytest.raises(RuntimeError, match="shapes do not match"):
        train(network, DATA, RECIPE, epochs=1)
    assert network.calls == 1


def test_no_epochs_are_refused() -> None:
    with pytest.raises(OptionError, match="`epochs` must be at least 1, but got 0"):
        train(small_network(), DATA, RECIPE, epochs=0)


def test_an_image_mirrored_in_one_epoch_is_not_in_the_next() -> None:
    data = easy_data(flip=True)
    setup = make_setup(small_network(), data, RECIPE, torch.device("cpu"))
    state = make_state(setup, 4, seed=0)
    run = run_epochs(setup, state, 4, curve=False)
    turns = [epoch_moves(setup, state).mirrored for _ in run]
    assert torch.equal(turns[0], turns[2])
    assert torch.equal(turns[0], ~turns[1])
    assert 0 < int(turns[0].sum()) < len(data.train)


@pytest.mark.parametrize("changes", [{"policy": "trivial"}, {"mixup": 0.2}, {"cutmix": 1.0}])
def test_networks_learn_from_changed_and_mixed_images(changes: dict[str, Any]) -> None:
    result = train(small_network(), DATA, replace(RECIPE, **changes), epochs=12)
    assert result.values["accuracy"] > 0.9


def test_a_mixed_loss_weighs_the_targets_of_both_images_by_their_shares() -> None:
    recipe = replace(RECIPE, mixup=1.0, label_smoothing=0.0)
    setup = make_setup(small_network().eval(), DATA, recipe, torch.device("cpu"))
    state = make_state(setup, 1, seed=0)
    batch = DATA.train[torch.arange(20)]
    moves = epoch_moves(setup, state)[torch.arange(20)]
    twin = Generator()
    twin.set_state(state.generator.get_state())
    images, share = mix(setup.normalize(batch.images), recipe, twin)
    with torch.no_grad():
        outputs = setup.network(images)
    own, other = (
        float(cross_entropy(outputs, targets)) for targets in (batch.targets, batch.targets.roll(1))
    )
    assert float(take_step(setup, state, batch, moves)) == pytest.approx(
        share * own + (1 - share) * other, rel=1e-5
    )

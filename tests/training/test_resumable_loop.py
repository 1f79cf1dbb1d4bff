from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.devices.device import autocast_for
from neptune_nas.errors import FileFormatError, OptionError
from neptune_nas.tasks.augmentation import Normalizer
from neptune_nas.tasks.registry import task_of
from neptune_nas.training import resumable_loop
from neptune_nas.training.checkpoint import read
from neptune_nas.training.feed import Feed
from neptune_nas.training.loop import DivergedError
from neptune_nas.training.measure import measure
from neptune_nas.training.recipe import Optimizer, Recipe, Schedule
from neptune_nas.training.resumable_loop import (
    ChosenWeights,
    Course,
    Kind,
    Trained,
    Watch,
    choices,
    choose,
    train_long,
)
from neptune_nas.training.state import Epoch
from tests.training.data import assert_same, easy_data, small_network

METRICS = ("accuracy", "loss")
Measured = tuple[float, float]


def epoch(number: int, raw: Measured, ema: Measured | None = None) -> Epoch:
    """Return an epoch with these accuracies and losses."""
    return Epoch(number, 1.0, 0.1, 1.0, values(raw), values(ema) if ema else {})


def values(measured: Measured) -> dict[str, float]:
    return dict(zip(METRICS, measured, strict=True))


def choice(number: int, weights: Kind, *measured: float) -> ChosenWeights:
    accuracy, loss = measured
    return ChosenWeights(number, weights, values((accuracy, loss)))


def test_the_most_accurate_weights_are_chosen() -> None:
    history = [epoch(1, (0.5, 1.0), (0.9, 2.0)), epoch(2, (0.8, 0.1), (0.7, 0.1))]
    assert choose(history, METRICS) == choice(1, "ema", 0.9, 2.0)


def test_of_equally_accurate_weights_those_of_the_lowest_loss() -> None:
    history = [epoch(1, (0.9, 1.0), (0.9, 0.8)), epoch(2, (0.9, 0.5), (0.9, 0.6))]
    assert choose(history, METRICS) == choice(2, "raw", 0.9, 0.5)


def test_where_loss_is_the_main_metric_less_of_it_is_better() -> None:
    history = [epoch(1, (0.9, 1.0)), epoch(2, (0.5, 0.5)), epoch(3, (0.7, 0.5))]
    assert choose(history, METRICS[::-1]) == choice(3, "raw", 0.7, 0.5)


def test_of_equal_weights_the_first() -> None:
    history = [epoch(1, (0.9, 1.0), (0.9, 1.0)), epoch(2, (0.9, 1.0), (0.9, 1.0))]
    assert choose(history, METRICS) == choice(1, "raw", 0.9, 1.0)


def test_epochs_that_were_not_measured_are_passed_over() -> None:
    history = [Epoch(1, 1.0, 0.1, 1.0), epoch(2, (0.5, 1.0))]
    assert choose(history, METRICS) == choice(2, "raw", 0.5, 1.0)


RECIPE = Recipe(batch_size=20, lr=0.02, precision="fp32", crop=1, flip=True, cutout=2)
DATA = easy_data()
EPOCHS = 4


@pytest.fixture(autouse=True)
def _average_over_several_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neptune_nas.training.optimizer.WINDOW", 0.4)


class StoppedError(Exception):
    """What a test stops a run with."""


def stop_after(number: int) -> Watch:
    def watch(history: Sequence[Epoch]) -> None:
        if len(history) == number:
            raise StoppedError

    return watch


def ignore(_: Sequence[Epoch]) -> None:
    pass


def run(
    file: Path,
    recipe: Recipe = RECIPE,
    watch: Watch = ignore,
    network: nn.Module | None = None,
) -> Trained:
    course = Course(EPOCHS, seed=1, checkpoint=file, watch=watch)
    return train_long(network or small_network(dropout=0.5), DATA, recipe, course)


def run_in_two(file: Path, recipe: Recipe, stop: int) -> Trained:
    with pytest.raises(StoppedError):
        run(file, recipe, stop_after(stop))
    torch.rand(3)
    return run(file, recipe)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "plateau", "constant"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    tmp_path: Path, schedule: Schedule, optimizer: Optimizer
) -> None:
    recipe = replace(RECIPE, schedule=schedule, optimizer=optimizer)
    whole, parts = run(tmp_path / "whole.pt", recipe), run_in_two(tmp_path / "parts.pt", recipe, 2)
    assert_same(whole.weights, parts.weights)
    assert_same(read(tmp_path / "whole.pt"), read(tmp_path / "parts.pt"))


def test_a_run_that_is_over_is_not_trained_on(tmp_path: Path) -> None:
    first = run(tmp_path / "run.pt")
    content = (tmp_path / "run.pt").read_bytes()
    second = run(tmp_path / "run.pt", watch=stop_after(EPOCHS))
    assert second.history == first.history
    assert_same(second.weights, first.weights)
    assert (tmp_path / "run.pt").read_bytes() == content


def test_the_random_state_of_the_caller_is_left_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    run_in_two(tmp_path / "run.pt", RECIPE, 1)
    torch.set_rng_state(before)
    run(tmp_path / "other.pt")
    assert torch.equal(torch.get_rng_state(), before)


def test_every_epoch_is_on_disk_before_it_is_told(tmp_path: Path) -> None:
    kept: list[int] = []
    file = tmp_path / "run.pt"
    run(file, watch=lambda _: kept.append(len(read(file)["history"])))
    assert kept == [1, 2, 3, 4]


def test_a_run_that_goes_on_tells_the_epochs_before_too(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path / "run.pt", watch=stop_after(2))
    told: list[list[int]] = []
    run(tmp_path / "run.pt", watch=lambda history: told.append([e.number for e in history]))
    assert told == [[1, 2, 3], [1, 2, 3, 4]]


def test_both_kinds_of_weights_are_measured_after_every_epoch(tmp_path: Path) -> None:
    for epoch in run(tmp_path / "run.pt").history:
        assert {*epoch.values} == {*epoch.ema_values} == {"accuracy", "loss"}


@pytest.mark.parametrize("kind", ["raw", "ema"])
def test_the_weights_that_are_chosen_are_kept_as_they_were_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    def second(history: Sequence[Epoch], _: object = None) -> ChosenWeights:
        *_, choice = (c for epoch in history[:2] for c in choices(epoch) if c.weights == kind)
        return choice

    monkeypatch.setattr(resumable_loop, "choose", second)
    trained = run(tmp_path / "run.pt")
    network, device = small_network(), torch.device("cpu")
    network.load_state_dict(trained.weights)
    feed = Feed(DATA.validation, device, streamed=False)
    found = measure(
        network, feed, task_of(DATA), Normalizer(DATA, device), autocast_for("fp32", device)
    )
    choice = second(trained.history)
    assert choice.epoch == 2
    assert found == pytest.approx(choice.values, rel=1e-5)


class Clumsy(nn.Module):
    """Runs out of memory on a batch of more than 10 images, from some step on."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.inner = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.steps -= 1
            if self.steps < 0 and len(x) > 10:
                raise torch.OutOfMemoryError("out of memory")
        y: Tensor = self.inner(x)
        return y


def test_out_of_memory_goes_on_from_the_last_epoch_with_halves(tmp_path: Path) -> None:
    torch.manual_seed(0)
    clumsy, able = Clumsy(steps=4), Clumsy(steps=1000)
    able.load_state_dict(clumsy.state_dict())
    told: list[int] = []
    halved = run(tmp_path / "a.pt", watch=lambda history: told.append(len(history)), network=clumsy)
    whole = run(tmp_path / "b.pt", network=able)
    assert told == [1, 2, 3, 4]
    for name, value in whole.weights.items():
        torch.testing.assert_close(halved.weights[name], value, atol=1e-4, rtol=1e-4)


def test_a_run_that_diverges_says_when(tmp_path: Path) -> None:
    network = small_network()
    nn.init.constant_(list(network.parameters())[-1], float("nan"))
    with pytest.raises(DivergedError, match=r"the training loss was nan.* in epoch 1 of 4"):
        run(tmp_path / "run.pt", network=network)


def test_the_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "run.pt")
    with pytest.raises(FileFormatError, match=r"run\.pt cannot be resumed"):
        run(tmp_path / "run.pt", network=nn.Sequential(nn.Flatten(), nn.Linear(36, 2)))


def test_no_epochs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="`epochs` must be at least 1, but got 0"):
        Course(0, 0, tmp_path / "run.pt", ignore)

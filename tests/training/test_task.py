"""That training asks its task, and names no loss and no metric itself."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.tasks.classification import Classification
from neptune_nas.tasks.task import Meter
from neptune_nas.training.loop import run_seeded
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.resumable_loop import Course, train_remaining
from neptune_nas.training.state import Setup, make_setup
from tests.training.data import easy_data


@dataclass(frozen=True)
class Regression(Classification):
    """A task of one number an image, measured by its squared error alone."""

    name: str = "regression"
    metrics: tuple[str, ...] = ("loss",)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        return (outputs[:, 0] - targets * (1 - smoothing)).square().sum()

    def meter(self) -> Meter:
        return Error(self)


class Error:
    """The mean of the squared errors."""

    def __init__(self, task: Regression) -> None:
        self.task, self.total, self.count = task, 0.0, 0

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        self.total += float(self.task.loss(outputs, targets))
        self.count += len(targets)

    def result(self) -> dict[str, float]:
        return {"loss": self.total / self.count}


@pytest.fixture
def setup() -> Setup:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(36, 1))
    recipe = Recipe(batch_size=20, lr=0.02, precision="fp32", schedule="plateau")
    usual = make_setup(network, easy_data(), recipe, torch.device("cpu"))
    return replace(usual, task=Regression(), guess=1 / 3)


def test_another_loss_is_trained_on_and_its_own_metrics_are_measured(setup: Setup) -> None:
    result = run_seeded(setup, 8, seed=0, curve=True)
    losses = [epoch.values["loss"] for epoch in result.history]
    assert {*result.values} == {"loss"}
    assert losses[-1] == result.values["loss"] < 0.5 * losses[0]


def test_the_limit_of_a_hopeless_loss_is_that_of_the_tasks_guessing(setup: Setup) -> None:
    result = run_seeded(replace(setup, guess=1e-9), 1, seed=0, curve=False)
    assert result.failure is not None
    assert ", above 5e-08, in epoch 1" in result.failure
    assert result.values == {"loss": float("inf")}


def test_the_weights_are_kept_that_are_best_by_the_tasks_metric(
    setup: Setup, tmp_path: Path
) -> None:
    watched: list[int] = []
    course = Course(4, 0, tmp_path / "run.pt", lambda history: watched.append(len(history)))
    trained = train_remaining(setup, course)
    assert watched == [1, 2, 3, 4]
    assert [{*epoch.values, *epoch.ema_values} for epoch in trained.history] == [{"loss"}] * 4
    assert train_remaining(setup, course).history == trained.history

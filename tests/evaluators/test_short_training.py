import pickle
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    InvertedResidual,
    Stage,
    Stem,
)
from neptune_nas.data.load import load_once
from neptune_nas.deploy.int8_accuracy import Calibration
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import ArchitectureError
from neptune_nas.evaluators import short_training as module
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.short_training import ShortTraining, training_traits
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.search.defaults import DIGITS_RUNGS
from neptune_nas.training.loop import TrainResult, train
from neptune_nas.training.recipe import Recipe, default_recipe
from tests.evaluators.contract import SMALL, EvaluatorContract

RECIPE, EPOCHS = default_recipe(1_078), DIGITS_RUNGS[-1]


class TestShortTraining(EvaluatorContract):
    @pytest.fixture
    def evaluator(self) -> Evaluator:
        return ShortTraining(recipe=Recipe(batch_size=256, precision="fp32"))


def test_a_small_convolutional_network_learns_the_digits_in_the_default_epochs() -> None:
    stages = (Stage(24, norm="batch", substages=(Conv(),)), Stage(32, norm="batch"))
    evaluator = ShortTraining("digits", recipe=RECIPE)
    assert evaluator(Architecture(Stem(16), stages), EPOCHS, 0).main >= 0.97


def test_a_small_attention_network_learns_the_digits_in_the_default_epochs() -> None:
    stages = (Stage(32, norm="layer", substages=(Attention(2), FeedForward(2))),)
    evaluator = ShortTraining("digits", recipe=RECIPE)
    found = [evaluator(Architecture(Stem(16), stages), EPOCHS, seed).main for seed in range(5)]
    assert median(found) >= 0.9


def test_self_attentive_norms_train_at_four_times_the_default_rate() -> None:
    inverted = InvertedResidual()
    stages = (
        Stage(16, inverted, pool="none", norm="lrn", substages=(inverted,)),
        Stage(32, inverted, norm="lrn", substages=(InvertedResidual(expansion=2), Attention(2))),
    )
    evaluator = ShortTraining("digits", recipe=replace(RECIPE, lr=0.02))
    assert evaluator(Architecture(Stem(16), stages), 10, 0).main >= 0.9


def test_more_epochs_score_higher() -> None:
    evaluator = ShortTraining(recipe=RECIPE)
    assert evaluator(SMALL, 5, 0).main > evaluator(SMALL, 1, 0).main


def test_the_global_random_state_changes_no_score() -> None:
    evaluator = ShortTraining(recipe=RECIPE)
    torch.manual_seed(1)
    first = evaluator(SMALL, 1, 0)
    torch.manual_seed(2)
    assert evaluator(SMALL, 1, 0).main == first.main


def test_a_hand_designed_network_is_trained_by_the_same_recipe() -> None:
    network, recipe = ReferenceNetwork("resnet8", (1, 8, 8), 10), RECIPE
    score = ShortTraining("digits", recipe=recipe)(network, 1, 3)
    result = train(network.build(3), load_once("digits", None, 0), recipe, 1, seed=3)
    assert score.values == result.values
    assert score.failure is None


def test_a_network_is_trained_in_the_precision_and_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Numerics | None] = []

    def spy(*given: Any, numerics: Numerics | None, **more: Any) -> TrainResult:
        used.append(numerics)
        return train(*given, numerics=numerics, **more)

    monkeypatch.setattr(module, "train", spy)
    numerics = Numerics("bf16", "contiguous")
    evaluator = pickle.loads(pickle.dumps(ShortTraining("digits#100", numerics=numerics)))
    assert evaluator(Architecture(Stem(4), (Stage(8, substages=(Conv(),)),)), 1, 0).ok
    assert used == [numerics]


INT8 = ShortTraining("digits", recipe=RECIPE, metrics=training_traits(["int8_accuracy"]).metrics)


def test_int8_accuracy_comes_first_unless_accuracy_does() -> None:
    def names(*objectives: str) -> list[str]:
        return [each.name for each in training_traits(objectives).metrics]

    assert names("loss", "flops") == ["accuracy", "loss"]
    assert names("int8_accuracy", "params") == ["int8_accuracy", "accuracy", "loss"]
    assert names("flops", "int8_accuracy", "accuracy") == ["int8_accuracy", "accuracy", "loss"]
    assert names("accuracy", "int8_accuracy") == ["accuracy", "int8_accuracy", "loss"]


def test_int8_is_measured_after_a_training_that_it_does_not_change() -> None:
    score, plain = INT8(SMALL, 2, 0), ShortTraining("digits", recipe=RECIPE)(SMALL, 2, 0)
    assert [*score.values] == ["int8_accuracy", "accuracy", "loss"]
    assert {name: score.values[name] for name in plain.values} == plain.values
    assert abs(score.main - plain.main) < 0.05


def test_other_calibration_images_may_change_the_int8_accuracy_alone() -> None:
    few = replace(INT8, calibration=Calibration(1))(SMALL, 2, 0)
    many = INT8(SMALL, 2, 0)
    assert few.values["loss"] == many.values["loss"]
    assert few.main != many.main


def test_a_network_without_an_int8_path_fails_before_it_is_trained() -> None:
    stage = Stage(8, norm="batch", substages=(Attention(2),))
    score = INT8(replace(SMALL, stages=(stage,)), 1_000_000, 0)
    assert score.failure is not None
    assert "has no int8 kernel" in score.failure
    assert not score.ok


@dataclass(frozen=True)
class Failing:
    """A user's SubStage whose module fails as `kind` says."""

    kind: str

    def build(self, width: int) -> nn.Module:  # noqa: ARG002  # the protocol's argument
        """Return the failing module."""
        return FailingModule(self.kind)


class FailingModule(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        match self.kind:
            case "memory":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
            case "device":
                raise torch.AcceleratorError("CUDA error: an illegal memory access")
            case "device memory":
                raise torch.AcceleratorError("CUDA error: out of memory")
            case "nan":
                return x * float("nan")
            case "rule":
                raise ArchitectureError("the map is too small.")
        return x @ torch.ones(3, 3)


def failing(kind: str) -> Architecture:
    stage = Stage(8, norm="none", connections="chain", substages=(Failing(kind),))
    return replace(SMALL, stages=(stage,))


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("memory", "out of memory"),
        ("device memory", "out of memory"),
        ("shape", "mat1 and mat2|size|expected"),
        ("nan", "diverged: the training loss was nan"),
    ],
)
def test_a_network_that_fails_is_a_failed_score_that_says_why(kind: str, failure: str) -> None:
    score = ShortTraining()(failing(kind), 1, 0)
    assert not score.ok
    assert score.failure is not None
    with pytest.raises(RuntimeError, match=failure):
        raise RuntimeError(score.failure)


def test_where_torch_refused_a_network_is_told_by_its_traceback() -> None:
    trace = ShortTraining()(failing("shape"), 1, 0).trace or ""
    assert "return x @ torch.ones(3, 3)" in trace


def test_a_mistake_of_the_users_is_raised() -> None:
    with pytest.raises(ArchitectureError, match="the map is too small"):
        ShortTraining()(failing("rule"), 1, 0)


def test_the_loss_of_the_device_is_raised_for_the_engine() -> None:
    with pytest.raises(torch.AcceleratorError, match="illegal memory access"):
        ShortTraining()(failing("device"), 1, 0)

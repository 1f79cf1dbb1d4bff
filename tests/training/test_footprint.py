from dataclasses import dataclass, replace
from random import Random

import pytest
import torch
from torch import Tensor, nn

from benchmarks.footprints import Job, peak
from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    InvertedResidual,
    Stage,
    SubStage,
)
from neptune_nas.devices.mode import Mode, Modes, Precision
from neptune_nas.errors import ArchitectureError
from neptune_nas.space import find_space
from neptune_nas.training.footprint import Footprint, footprint_of, kept_by, training_bytes
from neptune_nas.training.measure import BATCH
from neptune_nas.training.recipe import Recipe

RECIPE = Recipe(optimizer="sgd", batch_size=10, precision="fp32")
WEIGHTS = Footprint(params=1000, kept=0, largest=0)
MAPS = Footprint(params=0, kept=1_000_000, largest=1)


@dataclass(frozen=True)
class Peeks(SubStage):
    """Looks at a value while it trains, which the meta device does not have."""

    def build(self, width: int) -> nn.Module:  # noqa: ARG002  # the record's signature
        return Peeking()


class Peeking(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean().item() if self.training else x


def attention_on(side: int) -> Footprint:
    stage = Stage(16, pool="none", norm="batch", substages=(Attention(heads=2),))
    return footprint_of(Architecture(stages=(stage,)), (3, side, side), 10)


def test_what_autograd_keeps_is_counted_to_the_byte() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    images, maps, logits = (
        3 * 36 * 4,
        3 * 64 * 4,
        3 * 2 * 4,
    )  # the ReLU's output is the Linear's input
    assert sorted(kept_by(network, torch.rand(3, 1, 6, 6))) == sorted((images, maps, logits))


def test_the_meta_device_keeps_what_the_cpu_keeps() -> None:
    stage = Stage(16, norm="batch", substages=(Conv(), Conv(kernel=5)))
    job = Job(Architecture(stages=(stage,)), (3, 8, 8), "fp32")
    real = sum(kept_by(job.network(), torch.rand(64, 3, 8, 8))) / 64
    assert footprint_of(job.architecture, job.shape, 10).kept == pytest.approx(real, rel=0.03)


def test_attention_keeps_no_scores_as_on_an_accelerator() -> None:
    assert attention_on(32).kept == pytest.approx(4 * attention_on(16).kept, rel=0.01)


def test_each_parameter_has_its_gradient_and_the_moments_of_the_optimiser() -> None:
    assert training_bytes(WEIGHTS, RECIPE) == 12_000
    assert training_bytes(WEIGHTS, replace(RECIPE, optimizer="adamw")) == 16_000


def test_autocast_adds_a_copy_of_the_weights_in_two_bytes() -> None:
    assert training_bytes(WEIGHTS, replace(RECIPE, precision="bf16")) == 14_000


def test_the_mode_of_a_networks_kind_has_the_say_over_the_recipes_precision() -> None:
    modes = Modes(attention=Mode("fp32"), depthwise=Mode("fp32"), dense=Mode("bf16"))
    attention = replace(WEIGHTS, kind="attention")
    recipe = replace(RECIPE, precision="auto")
    assert training_bytes(WEIGHTS, recipe, modes) == 14_000
    assert training_bytes(attention, recipe, modes) == 12_000


def test_a_footprint_knows_the_networks_kind() -> None:
    stages = (Stage(8, norm="batch", substages=(InvertedResidual(),)),)
    assert footprint_of(Architecture(stages=stages), (3, 8, 8), 10).kind == "depthwise"


def test_what_is_kept_counts_for_each_image_of_a_batch() -> None:
    one, two = (training_bytes(MAPS, replace(RECIPE, batch_size=size)) for size in (50, 100))
    assert one >= 50 * MAPS.kept
    assert two == 2 * one


def test_measuring_counts_where_its_larger_batches_take_more_than_training() -> None:
    wide = Footprint(params=0, kept=1000, largest=1000)
    assert training_bytes(wide, replace(RECIPE, batch_size=2)) > 2 * BATCH * wide.largest


@pytest.mark.parametrize(("precision", "most"), [("fp32", 2), ("bf16", 3)])
def test_real_training_takes_no_more_than_is_predicted_and_not_much_less(
    precision: Precision, most: float
) -> None:
    stage = Stage(8, norm="mln", substages=(Conv(), Conv()))
    job = Job(Architecture(stages=(stage,)), (3, 8, 8), precision)
    assert 1 <= job.predicted / peak(job) <= most


def test_every_shipped_kind_of_network_can_be_predicted() -> None:
    for name in ("tiny", "attention", "cifar10", "mobile"):
        found = footprint_of(find_space(name).sample(Random(1)), (3, 32, 32), 10)
        assert 0 < found.largest < found.kept


def test_a_network_too_large_for_the_images_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="needs images of at least"):
        footprint_of(Architecture(stages=(Stage(8),) * 4), (1, 8, 8), 10)


def test_a_network_that_cannot_train_on_the_meta_device_says_so() -> None:
    own = Architecture(stages=(Stage(8, norm="batch", substages=(Peeks(),)),))
    with pytest.raises(ArchitectureError, match="cannot be trained on the meta device: Runtime"):
        footprint_of(own, (1, 8, 8), 10)

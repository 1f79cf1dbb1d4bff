"""Whatever form a model is written in, it gives the network's own logits."""

from pathlib import Path
from random import Random

import pytest
import torch

from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    InvertedResidual,
    Norm,
    Stage,
    Stem,
)
from neptune_nas.models.export.pt2 import trace
from neptune_nas.nn.builder import Shape, least_size
from neptune_nas.space import find_space, list_spaces
from tests.models.export.forms import FORMS, random_model, run

TOLERANCE = 1e-4
SAMPLES = 200
IMAGES = 3  # other than the number that graphs are traced with


def smallest(space: str) -> Architecture:
    """Of some random architectures the one with the least to trace, which takes long."""
    rng = Random(0)
    sample: list[Architecture] = [find_space(space).sample(rng) for _ in range(SAMPLES)]
    return min(sample, key=lambda each: sum(map(operations, each.stages)))


def operations(stage: Stage) -> int:
    """About how many operations a graph has for each of a stage's."""
    attentions = sum(isinstance(substage, Attention) for substage in stage.substages)
    norms = (1 + len(stage.substages)) * (10 if stage.norm in ("lrn", "mln") else 1)
    return len(stage.substages) + 10 * attentions + norms


@pytest.mark.parametrize("space", list_spaces())
def test_every_form_agrees_on_a_network_of_a_shipped_space(space: str, tmp_path: Path) -> None:
    architecture = smallest(space)
    side = max(8, least_size(architecture))
    assert largest_difference(architecture, (3, side, side), tmp_path) < TOLERANCE


def largest_difference(architecture: Architecture, shape: Shape, folder: Path) -> float:
    model, random = random_model(architecture, shape), torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, *shape, generator=random)
    expected, program = run(model.classifier(), images), trace(model)
    logits = (form(model, program, images, folder) for form in FORMS.values())
    return max(float((each - expected).abs().max()) for each in logits)


EVERYTHING = Architecture(
    stem=Stem(width=4, stride=2),
    stages=(
        Stage(
            width=8,
            norm="lrn",
            pool="none",
            connections="sparse",
            substages=(Conv(groups=2), Attention(2, window=4, stride=2)),
        ),
        Stage(
            width=8,
            entry=InvertedResidual(expansion=2, squeeze=4),
            norm="mln",
            pool="conv",
            connections=((0,), (0, 1)),
            substages=(FeedForward(), Conv(groups="depthwise")),
        ),
    ),
)


def test_every_form_agrees_on_windows_strides_lrn_mln_and_connections(tmp_path: Path) -> None:
    assert largest_difference(EVERYTHING, (1, 14, 10), tmp_path) < TOLERANCE


NORMS: tuple[Norm, ...] = ("group", "instance", "rms", "local_response", "layer", "none")


def test_every_form_agrees_on_the_other_norms(tmp_path: Path) -> None:
    stages = tuple(Stage(16, entry=Conv(1), pool="none", norm=norm) for norm in NORMS)
    assert largest_difference(Architecture(Stem(16), stages), (1, 6, 6), tmp_path) < TOLERANCE

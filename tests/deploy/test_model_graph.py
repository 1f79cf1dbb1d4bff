import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    InvertedResidual,
    Stage,
    Stem,
)
from neptune_nas.deploy.execution import run_float
from neptune_nas.deploy.model_graph import graph_of
from neptune_nas.errors import NeptuneError
from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import make_untrained
from neptune_nas.nn.references import ReferenceNetwork
from tests.deploy.builders import ARCHITECTURE, SHAPE, pictures
from tests.models.export.forms import random_model, run

PLAIN = Stage(8, pool="avg", norm="batch", substages=(Conv(3),))


def test_the_graph_of_a_model_has_its_weights_and_its_normalisation() -> None:
    model, images = random_model(ARCHITECTURE, SHAPE), pictures(4)
    torch.testing.assert_close(run_float(graph_of(model), images), run(model.classifier(), images))


@dataclass(frozen=True)
class Own:
    """A user's SubStage."""

    slope: float = 0.1

    def build(self, width: int) -> nn.Module:
        del width
        return nn.LeakyReLU(self.slope)


@pytest.mark.parametrize(
    ("stage", "place"),
    [
        (replace(PLAIN, substages=(Conv(), Attention(4))), "stages.1.substages.1: Attention with"),
        (replace(PLAIN, substages=(FeedForward(),)), "stages.1.substages.0: FeedForward with"),
        (replace(PLAIN, substages=(Conv(3, 2),)), "stages.1.substages.0: Conv with"),
        (replace(PLAIN, substages=(Own(0.2),)), "stages.1.substages.0: Own with"),
        (replace(PLAIN, norm="lrn"), "stages.1.entry: Conv, pool 'avg' and norm 'lrn': "),
        (
            replace(PLAIN, entry=InvertedResidual(), norm="mln"),
            "stages.1.entry: InvertedResidual, pool 'avg' and norm 'mln': ",
        ),
    ],
)
def test_what_has_no_kernel_is_named_with_its_place_and_a_remedy(stage: Any, place: str) -> None:
    model = random_model(Architecture(Stem(4), (PLAIN, stage), Head()), (3, 8, 8))
    message = rf"^{re.escape(place)}.*: the format onnx can hold this network\.$"
    with pytest.raises(UnsupportedOperationError, match=message):
        graph_of(model)


def test_a_hand_designed_network_has_no_place_to_name() -> None:
    model = make_untrained(ReferenceNetwork("shufflenet_v2_x0_5", (3, 32, 32), 5))
    with pytest.raises(UnsupportedOperationError, match=r"^(?!stages).*: the format onnx can hold"):
        graph_of(model)


class Counting(nn.Module):
    """Adds the number of times it was called, which the graph holds as a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.calls = nn.Conv2d(3, 5, 1), 0

    def forward(self, images: Any) -> Any:
        self.calls += 1
        return (self.conv(images) + self.calls).mean((2, 3))


@dataclass(frozen=True)
class CountingNetwork:
    """A network that the graph cannot express."""

    def build(self, input_shape: Any, outputs: int) -> nn.Module:
        del input_shape, outputs
        return Counting()


def test_a_graph_that_is_not_its_network_is_refused() -> None:
    model = make_untrained(without_study(CountingNetwork(), (3, 8, 8), 5))
    with pytest.raises(NeptuneError, match=r"cannot express \(its logits are off by 1\): use"):
        graph_of(model)

import sys
import warnings
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.architecture import Architecture, Conv, Identity, Stage, Stem
from neptune_nas.architecture_file import bare
from neptune_nas.errors import NeptuneError
from neptune_nas.export.program import forget_traces, quiet, traced
from neptune_nas.model import untrained
from tests.export.forms import random_model, run

SHAPE = (1, 6, 6)
SMALL = Architecture(Stem(4), (Stage(8),))


@dataclass(frozen=True)
class Branching:
    """A user's own SubStage that torch cannot trace: its path depends on the pixels."""

    def build(self, width: int) -> nn.Module:
        del width
        return Branch()


class Branch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if x.device.type != "meta" and float(x.sum()) > 0 else x


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_graph_takes_any_number_of_images(count: int) -> None:
    model, images = random_model(SMALL, SHAPE), torch.rand(count, *SHAPE)
    logits = run(traced(model).module(), images)
    torch.testing.assert_close(logits, run(model.classifier(), images))


@pytest.mark.parametrize("entry", [Identity(), Conv(1)])
def test_a_graph_has_torch_s_own_convolutions(entry: Identity | Conv) -> None:
    strided = Architecture(Stem(4, 1, 2), (Stage(6, entry, 2, pool="none"),))
    called = [str(node.target) for node in traced(random_model(strided, SHAPE)).graph.nodes]
    assert sum("conv2d" in name for name in called) >= 2
    assert not any("slice" in name for name in called)


def test_a_graph_knows_nothing_of_the_machine_it_was_made_on() -> None:
    program = traced(random_model(SMALL, SHAPE))
    assert [node for node in program.graph.nodes if "stack_trace" in node.meta] == []
    before = str(program.graph)
    forget_traces(program)
    assert str(program.graph) == before


def test_what_torch_cannot_trace_is_said_in_a_sentence() -> None:
    own = Architecture(Stem(4), (Stage(8, substages=(Branching(),)),))
    with pytest.raises(NeptuneError, match=r"^the network \w+ cannot be traced by torch \(.+\)\.$"):
        traced(untrained(bare(own, SHAPE, 2)))


def test_what_exporters_print_and_warn_of_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        print("progress")
        print("progress", file=sys.stderr)
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
    assert capfd.readouterr() == ("", "")

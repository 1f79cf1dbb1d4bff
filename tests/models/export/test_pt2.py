import json
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from neptune_nas.architecture.records import Architecture, Attention, Conv, Identity, Stage, Stem
from neptune_nas.errors import NeptuneError
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.export.facts import facts
from neptune_nas.models.export.pt2 import FACTS, forget_stack_traces, silence, to_pt2, trace
from neptune_nas.models.model import make_untrained
from tests.models.export.forms import random_model, run

SHAPE = (1, 6, 6)
SMALL = Architecture(Stem(4), (Stage(8),))
ALONE = """
import sys, torch
sys.modules["neptune_nas"] = None
extra = {FACTS: ""}
network = torch.export.load(sys.argv[1], extra_files=extra).module()
with torch.inference_mode():
    torch.save((network(torch.load(sys.argv[2])), extra[FACTS]), sys.argv[3])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pt2")


def test_torch_alone_opens_the_file_with_labels_and_preprocessing(folder: Path) -> None:
    model = random_model(Architecture(Stem(4), (Stage(8, substages=(Attention(2),)),)), SHAPE)
    images = torch.rand(3, *SHAPE)
    (folder / "model.pt2").write_bytes(to_pt2(model))
    torch.save(images, folder / "images.pt")
    files = [folder / name for name in ("model.pt2", "images.pt", "logits.pt")]
    subprocess.run(
        [sys.executable, "-c", ALONE.replace("FACTS", repr(FACTS)), *map(str, files)], check=True
    )
    logits, text = torch.load(folder / "logits.pt")
    torch.testing.assert_close(logits, run(model.classifier(), images))
    assert json.loads(text) == facts(model)


@dataclass(frozen=True)
class Branching:
    """A user's SubStage that torch cannot trace: its path depends on the pixels."""

    def build(self, width: int) -> nn.Module:
        del width
        return Branch()


class Branch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if x.device.type != "meta" and float(x.sum()) > 0 else x


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_graph_takes_any_number_of_images(count: int) -> None:
    model, images = random_model(SMALL, SHAPE), torch.rand(count, *SHAPE)
    logits = run(trace(model).module(), images)
    torch.testing.assert_close(logits, run(model.classifier(), images))


def test_a_graph_knows_nothing_of_the_machine_it_was_made_on() -> None:
    program = trace(random_model(SMALL, SHAPE))
    assert [node for node in program.graph.nodes if "stack_trace" in node.meta] == []
    before = str(program.graph)
    forget_stack_traces(program)
    assert str(program.graph) == before


def test_what_torch_cannot_trace_is_said_in_a_sentence() -> None:
    own = Architecture(Stem(4), (Stage(8, substages=(Branching(),)),))
    with pytest.raises(NeptuneError, match=r"^the network \w+ cannot be traced by torch \(.+\)\.$"):
        trace(make_untrained(without_study(own, SHAPE, 2)))


def test_what_exporters_print_and_warn_of_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with silence():
        print("progress")
        print("progress", file=sys.stderr)
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("entry", [Identity(), Conv(1)])
def test_a_graph_has_torch_s_own_convolutions(entry: Identity | Conv) -> None:
    strided = Architecture(Stem(4, 1, 2), (Stage(6, entry, 2, pool="none"),))
    called = [str(node.target) for node in trace(random_model(strided, (3, 16, 16))).graph.nodes]
    assert sum("conv2d" in name for name in called) >= 2
    assert not any("slice" in name for name in called)

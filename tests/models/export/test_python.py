import ast
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn
from torchvision.ops import batched_nms

from neptune_nas.architecture.dense_heads import DecoderHead, DetectionHead, LrasppHead
from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Identity,
    InvertedResidual,
    Stage,
    Stem,
)
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.registry import COST
from neptune_nas.models.architecture_file import ExportedArchitecture, without_study
from neptune_nas.models.export.python import to_python, to_state
from neptune_nas.models.export.source import find_boxes
from neptune_nas.models.model import Model, make_untrained, save_model
from neptune_nas.nn.references import REFERENCES, ReferenceNetwork
from tests.models.export.forms import random_model, run
from tests.strategies import architectures

SHAPE = (3, 16, 16)
STRIDED = Architecture(Stem(4, 1, 2), (Stage(6, Identity(), 2, pool="none"),))
CONVOLUTIONS = Architecture(
    Stem(16), tuple(Stage(width, norm="batch", substages=(Conv(),)) for width in (32, 64, 128))
)
ALONE = """
import sys, torch
sys.modules["neptune_nas"] = None
import net
images = torch.load("images.pt")
with torch.inference_mode():
    torch.save((net.load("net.pt")(images), net.LABELS), "logits.pt")
"""


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model(Architecture(Stem(4), (Stage(8, norm="mln"),)), SHAPE)


def names_of(text: str) -> dict[str, Any]:
    """Return what the file defines, once it is run."""
    names: dict[str, Any] = {"__name__": "net"}
    exec(compile(text, "net.py", "exec"), names)
    return names


def test_torch_alone_runs_the_file_with_the_weights_beside_it(model: Model, tmp_path: Path) -> None:
    images = torch.rand(3, *SHAPE)
    (tmp_path / "net.py").write_text(to_python(model))
    (tmp_path / "net.pt").write_bytes(to_state(model))
    torch.save(images, tmp_path / "images.pt")
    subprocess.run([sys.executable, "-c", ALONE], check=True, cwd=tmp_path)
    logits, labels = torch.load(tmp_path / "logits.pt")
    torch.testing.assert_close(logits, run(model.classifier(), images))
    assert labels == model.labels


@settings(max_examples=25)
@given(architectures())
def test_any_architecture_of_built_in_parts_can_be_written(architecture: Architecture) -> None:
    model = random_model(architecture, SHAPE)
    network = names_of(to_python(model))["build"]().eval()
    network.load_state_dict(dict(model.state))
    images = torch.rand(2, *SHAPE)
    assert torch.equal(run(network, images), run(model.network(), images))


@settings(max_examples=40)
@given(architectures())
@example(Architecture(stages=(Stage(8, norm="batch", substages=(Attention(2),)),)))
def test_every_line_of_a_file_fits(architecture: Architecture) -> None:
    text = to_python(make_untrained(without_study(architecture, SHAPE, 3)))
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", ["resnet8", "resnet20"])
def test_a_small_residual_network_can_be_written(name: str) -> None:
    model = make_untrained(ReferenceNetwork(name, SHAPE, 4))
    text, images = to_python(model), torch.rand(2, *SHAPE)
    assert f"    return {name}(3, 4)\n" in text
    network = names_of(text)["build"]().eval()
    network.load_state_dict(dict(model.state))
    assert torch.equal(run(network, images), run(model.network(), images))


def test_a_plain_network_can_be_written() -> None:
    model = make_untrained(ReferenceNetwork("plain-4", SHAPE, 4))
    images, network = torch.rand(2, *SHAPE), names_of(to_python(model))["build"]().eval()
    network.load_state_dict(dict(model.state))
    assert torch.allclose(run(network, images), run(model.network(), images), atol=1e-5)


@pytest.mark.parametrize(
    "name", [each for each in REFERENCES[:10] if not each.startswith("resnet")]
)
def test_torchvisions_networks_are_refused(name: str) -> None:
    model = make_untrained(ReferenceNetwork(name, (3, 32, 32), 3))
    with pytest.raises(ArchitectureError, match=f"torchvision's `{name}`, .*onnx or pt2"):
        to_python(model)


@dataclass(frozen=True)
class Own:
    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1)


def test_a_users_own_record_is_refused_by_name() -> None:
    model = make_untrained(
        without_study(Architecture(stages=(Stage(substages=(Own(),)),)), (1, 8, 8), 3)
    )
    with pytest.raises(ArchitectureError, match=r"`Own\.build`, code of your own, .*onnx or pt2"):
        to_python(model)


def test_a_network_of_six_convolutions_is_a_file_to_read() -> None:
    model = random_model(CONVOLUTIONS, SHAPE)
    assert sum(isinstance(module, nn.Conv2d) for module in model.network().modules()) == 7
    text = to_python(model)
    assert len(text.splitlines()) < 150
    assert set(re.findall(r"^(?:class|def) (\w+)", text, re.MULTILINE)) == {
        *("Classifier", "chain", "Stage0", "Stage1", "Stage2", "build", "load")
    }


EVERY_LAYER = Architecture(
    stages=(
        Stage(norm="lrn", entry=Conv(5, "depthwise"), stride=2, substages=(Attention(2),)),
        Stage(norm="mln", connections="dense", pool="none", substages=(Conv(), FeedForward())),
        Stage(norm="rms", pool="none", substages=(InvertedResidual(), InvertedResidual(squeeze=2))),
        *(Stage(norm=norm, pool="none") for norm in ("instance", "group", "local_response")),
        Stage(1, norm="layer", pool="none", entry=InvertedResidual(expansion=1)),
    )
)


@pytest.mark.parametrize(
    "of", [CONVOLUTIONS, EVERY_LAYER, "resnet8"], ids=["six", "every", "resnet8"]
)
def test_a_file_has_what_it_uses_and_nothing_else(of: Architecture | str, tmp_path: Path) -> None:
    model = make_untrained(
        ReferenceNetwork(of, SHAPE, 3) if isinstance(of, str) else without_study(of, SHAPE, 3)
    )
    (tmp_path / "net.py").write_text(to_python(model))
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F"]
    found = subprocess.run([*ruff, "net.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "All checks passed!\n")
    text = (tmp_path / "net.py").read_text()
    for ours in ("ArchitectureError", "noqa", "FullPrecision", "conv_kind", "accepting"):
        assert ours not in text


def test_a_file_says_what_its_network_costs_and_scored(model: Model) -> None:
    measured = {"validation_accuracy": 0.91234, "weights": "average", "x y": 1, "big": 10**400}
    head = to_python(replace(model, metrics=measured)).partition("import")[0]
    costs = without_study(Architecture(Stem(4), (Stage(8, norm="mln"),)), SHAPE, 5).costs
    flops = COST.text(costs["flops"])
    assert (
        f"{costs['params']} parameters, {flops} FLOPs an image, validation accuracy 0.9123.\n"
        in head
    )


def test_the_file_names_its_weights_images_and_classes(model: Model) -> None:
    head = to_python(model, "best.pt").partition("import")[0]
    for part in ('load("best.pt")', "for 5 classes", "RGB images of 16x16 pixels", "(N, 3, H, W)"):
        assert part in head


def test_equal_models_are_equal_texts_without_our_imports(model: Model) -> None:
    text = to_python(model)
    assert text == to_python(model)
    assert "import neptune_nas" not in text
    assert "from neptune_nas" not in text
    assert max(map(len, text.splitlines())) <= 100


@given(st.lists(st.text(), min_size=1).map(tuple))
def test_any_labels_can_be_read_again(labels: tuple[str, ...]) -> None:
    model = make_untrained(ReferenceNetwork("resnet8", (1, 8, 8), len(labels)))
    assert names_of(to_python(replace(model, labels=labels)))["LABELS"] == labels


@pytest.mark.parametrize("name", ['"""', "\\", "'\"", "\n", "\\N", "é"])
def test_no_name_of_the_weights_ends_the_docstring(model: Model, name: str) -> None:
    about = names_of(to_python(model, name))["__doc__"]
    (argument,) = re.findall(r"load\((.*)\)  #", about)
    assert ast.literal_eval(argument) == name


def test_the_models_own_file_has_the_weights_by_the_same_names(
    model: Model, tmp_path: Path
) -> None:
    save_model(tmp_path / "model.safetensors", model)
    network, images = names_of(to_python(model))["build"]().eval(), torch.rand(2, *SHAPE)
    network.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(run(network, images), run(model.network(), images))


def test_the_weights_are_plain_tensors_by_the_networks_names(model: Model, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(to_state(model))
    state = torch.load(tmp_path / "net.pt", weights_only=True)
    assert state.keys() == model.network().state_dict().keys()


@pytest.mark.parametrize(
    "of", [without_study(STRIDED, SHAPE, 4), ReferenceNetwork("resnet8", SHAPE, 4)]
)
def test_convolutions_in_the_file_are_torch_s_own(
    of: ExportedArchitecture | ReferenceNetwork,
) -> None:
    names = names_of(to_python(make_untrained(of)))
    found = [each for each in names["build"]().modules() if isinstance(each, nn.Conv2d)]
    assert {type(each) for each in found} == {nn.Conv2d}
    assert any(each.stride == (2, 2) and each.kernel_size == (1, 1) for each in found)


BODY = Architecture(
    Stem(4), (Stage(6, norm="batch", substages=(Conv(),)), Stage(8, stride=2, pool="none"))
)
HEADS = (
    LrasppHead(6),
    DecoderHead(6, 2, "concat", 5, 1),
    DecoderHead(4, 1),
    DetectionHead(6, 3, 2),
    DetectionHead(4, 1, 0, groups=1),
)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_network_with_outputs_for_parts_of_an_image_is_written_to_the_last_bit(head: Any) -> None:
    model = random_model(replace(BODY, head=head), SHAPE)
    text, images = to_python(model), torch.rand(2, *SHAPE)
    names = names_of(text)
    network = names["build"]().eval()
    network.load_state_dict(dict(model.state))
    assert torch.equal(run(network, images), run(model.network(), images))
    assert max(map(len, text.splitlines())) <= 100
    assert "accepting" not in text
    assert ("find_boxes" in names) == (head.task == "detection")


@pytest.mark.parametrize("name", ["unet-2", "fcos-2"])
def test_a_plain_network_for_another_task_can_be_written(name: str) -> None:
    model = make_untrained(ReferenceNetwork(name, SHAPE, 4))
    images, network = torch.rand(2, *SHAPE), names_of(to_python(model))["build"]().eval()
    network.load_state_dict(dict(model.state))
    assert torch.allclose(run(network, images), run(model.network(), images), atol=1e-5)


def test_boxes_are_found_as_torchvision_suppresses_them() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 60, 6 + 3, generator=generator)
    points[..., :6] *= 20
    points[..., 6:] = points[..., 6:] * 6 - 3
    for each, boxes in zip(points, find_boxes(points), strict=True):
        probability, label = each[:, 6:].sigmoid().max(1)
        corners = torch.cat((each[:, :2] - each[:, 2:4], each[:, :2] + each[:, 4:6]), 1)
        sure = probability >= 0.4
        kept = batched_nms(corners[sure], probability[sure], label[sure], 0.6)
        assert 0 < len(kept) < int(sure.sum())
        torch.testing.assert_close(boxes[:, :4], corners[sure][kept])
        torch.testing.assert_close(boxes[:, 4], label[sure][kept].float())
        torch.testing.assert_close(boxes[:, 5], probability[sure][kept])


def test_where_nothing_is_sure_there_are_no_boxes() -> None:
    (found,) = find_boxes(torch.full((1, 5, 8), -9.0))
    assert found.shape == (0, 6)

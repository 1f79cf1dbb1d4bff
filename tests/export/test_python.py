import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from neptune_nas.architecture import Architecture, Identity, Stage, Stem
from neptune_nas.architecture_file import ExportedArchitecture, bare
from neptune_nas.export.python import to_python, to_state
from neptune_nas.model import Model, untrained
from neptune_nas.references import ReferenceNetwork
from tests.export.forms import random_model, run
from tests.strategies import architectures

SHAPE = (3, 16, 16)
STRIDED = Architecture(Stem(4, 1, 2), (Stage(6, Identity(), 2, pool="none"),))
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
    """What the file defines, once it is run."""
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


@pytest.mark.parametrize("of", [bare(STRIDED, SHAPE, 4), ReferenceNetwork("resnet8", SHAPE, 4)])
def test_convolutions_in_the_file_are_torch_s_own(
    of: ExportedArchitecture | ReferenceNetwork,
) -> None:
    names = names_of(to_python(untrained(of)))
    found = [each for each in names["build"]().modules() if isinstance(each, nn.Conv2d)]
    assert {type(each) for each in found} == {nn.Conv2d}
    assert any(each.stride == (2, 2) and each.kernel_size == (1, 1) for each in found)


def test_a_small_residual_network_can_be_written() -> None:
    model = untrained(ReferenceNetwork("resnet8", SHAPE, 4))
    names = names_of(to_python(model))
    assert names["build"]().state_dict().keys() == model.state.keys()
    assert "Neptune" not in names


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


def test_quotes_in_labels_do_no_harm() -> None:
    labels = ('"""', "\\", "'\"", "\n", "é")
    model = random_model(Architecture(Stem(4), (Stage(8),)), SHAPE)
    object.__setattr__(model, "labels", labels)
    assert names_of(to_python(model))["LABELS"] == labels


def test_the_weights_are_plain_tensors_by_the_networks_names(model: Model, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(to_state(model))
    state = torch.load(tmp_path / "net.pt", weights_only=True)
    assert state.keys() == model.network().state_dict().keys()

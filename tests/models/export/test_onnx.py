import json
import sys
from dataclasses import replace

import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from neptune_nas.architecture.records import Architecture, Stage, Stem
from neptune_nas.errors import NeptuneError
from neptune_nas.models.export.facts import facts
from neptune_nas.models.export.onnx import check_same_logits, run_onnx, to_onnx
from neptune_nas.models.export.pt2 import refusal, trace
from neptune_nas.models.model import Model
from tests.models.export.forms import random_model, run

SHAPE = (1, 6, 6)


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model(Architecture(Stem(4), (Stage(8, substages=()),)), SHAPE)


@pytest.fixture(scope="module")
def program(model: Model) -> ExportedProgram:
    return trace(model)


@pytest.fixture(scope="module")
def content(model: Model, program: ExportedProgram) -> bytes:
    return to_onnx(model, program)


def test_the_file_is_sound_and_names_its_input_output_and_batch(content: bytes) -> None:
    proto = onnx.load_from_string(content)
    onnx.checker.check_model(proto, full_check=True)
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    }
    assert shapes == {"images": ["batch", 1, 6, 6], "logits": ["batch", 5]}


def test_the_metadata_holds_labels_and_preprocessing(content: bytes, model: Model) -> None:
    props = {
        prop.key: json.loads(prop.value) for prop in onnx.load_from_string(content).metadata_props
    }
    assert props == facts(model)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_file_takes_any_number_of_images(content: bytes, model: Model, count: int) -> None:
    images = torch.rand(count, *SHAPE)
    torch.testing.assert_close(
        run_onnx(content, images), run(model.classifier(), images), atol=1e-4, rtol=1e-4
    )


def test_the_file_says_nothing_of_the_code_that_it_was_made_of(content: bytes) -> None:
    assert b"neptune_nas." not in content
    assert b".py" not in content


def test_a_file_of_other_logits_is_refused(content: bytes, model: Model) -> None:
    other = replace(model, mean=(model.mean[0] + 0.5,))
    with pytest.raises(NeptuneError, match="gives other logits than the network"):
        check_same_logits(other, content)


def without(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """As if `library` were not installed: it is neither found nor imported."""
    monkeypatch.setitem(sys.modules, library, None)


@pytest.mark.parametrize("library", ["onnx", "onnxscript"])
def test_a_missing_library_is_said_with_what_to_install(
    model: Model, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, library)
    with pytest.raises(NeptuneError, match=rf"needs {library}, .*'neptune-nas\[onnx\]'"):
        to_onnx(model)


def test_without_onnxruntime_the_file_is_written_unchecked(
    model: Model, program: ExportedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "onnxruntime")
    assert onnx.load_from_string(to_onnx(model, program)).graph.node


class Bessel(nn.Module):
    """A function that ONNX lacks."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.special.bessel_j0(x)
        return y


def test_what_onnx_cannot_say_is_said_in_a_sentence(model: Model) -> None:
    program = torch.export.export(Bessel(), (torch.rand(2, *SHAPE),))
    with pytest.raises(NeptuneError, match=r"^the network .* as ONNX by torch \(\S.*\S\)\.$"):
        to_onnx(model, program)


def test_of_torchs_message_the_first_line_is_told(model: Model) -> None:
    error = refusal(model, "written as ONNX", RuntimeError("\n no such operation \n in ONNX"))
    assert str(error).endswith(" cannot be written as ONNX by torch (no such operation).")

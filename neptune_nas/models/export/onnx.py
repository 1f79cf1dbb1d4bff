"""A model as an ONNX file, checked against the network if onnxruntime is installed."""

import json
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from neptune_nas.errors import NeptuneError, check_installed
from neptune_nas.models.export.facts import BATCH, INPUT, OUTPUT, facts
from neptune_nas.models.export.pt2 import refusal, silence, trace
from neptune_nas.models.model import Model

_NEEDED = ("onnx", "onnxscript")
_TOLERANCE = 1e-4  # absolute and relative
_CHECKED = 3  # images to check the file with: not as many as it was traced with


def to_onnx(model: Model, program: ExportedProgram | None = None) -> bytes:
    """Return the file's content: a graph from `images` `(N, C, H, W)` in 0..1 to `logits`.

    It takes any N. Its metadata holds labels and preprocessing, as JSON by name. `program`: the
    result of `trace` for the model, if already computed. Raises `NeptuneError` without the
    libraries, and if the file's logits differ from the network's.
    """
    check_installed("the format onnx", _NEEDED, "onnx")
    content = serialise(model, program or trace(model))
    if find_spec("onnxruntime") is not None:
        check_same_logits(model, content)
    return content


def serialise(model: Model, program: ExportedProgram) -> bytes:
    """Return the graph in ONNX with its metadata."""
    from onnx.helper import set_model_props

    try:
        with silence():
            written = torch.onnx.export(
                program, dynamo=True, verbose=False, input_names=[INPUT], output_names=[OUTPUT]
            )
    except Exception as error:  # its kind depends on the operation that ONNX lacks
        raise refusal(model, "written as ONNX", error) from error
    assert written is not None
    proto: Any = written.model_proto
    _tidy(proto)
    entries = facts(model).items()
    set_model_props(proto, {name: json.dumps(value) for name, value in entries})
    content: bytes = proto.SerializeToString()
    return content


def _tidy(proto: Any) -> None:
    """Drop torch's notes on its own work, most of the file, and name the batch dimension."""
    graph = proto.graph
    graph.ClearField("value_info")  # shapes, which every reader infers
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
    for part in (*graph.input, *graph.output):
        part.type.tensor_type.shape.dim[0].dim_param = BATCH


def check_same_logits(model: Model, content: bytes) -> None:
    """Refuse a file whose logits differ from the network's for some random images."""
    images = torch.rand(_CHECKED, *model.input_shape)
    with torch.inference_mode():
        expected = model.classifier()(images)
    if not torch.allclose(run_onnx(content, images), expected, rtol=_TOLERANCE, atol=_TOLERANCE):
        raise NeptuneError(
            f"the ONNX file of network {model.key} gives other logits than the network, so it "
            f"was not written: use the format pt2."
        )


def run_onnx(content: bytes, images: Tensor) -> Tensor:
    """Return the logits `(N, classes)` that onnxruntime computes on the CPU."""
    from onnxruntime import InferenceSession

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])

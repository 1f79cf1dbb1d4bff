"""The export of a model: its file is made, opened and compared, and only then written."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_data
from neptune_nas.deploy.c_source import c_source
from neptune_nas.deploy.execution import run_int8
from neptune_nas.deploy.exported_file import ExportedFile, document_beside, write_document
from neptune_nas.deploy.file_check import Candidate, check_file, random_images
from neptune_nas.deploy.formats import FileKind, files_of
from neptune_nas.deploy.int8_accuracy import CALIBRATION, Calibration, calibration_batches
from neptune_nas.deploy.int8_onnx import to_int8_onnx
from neptune_nas.deploy.model_graph import graph_of, int8_graph_of
from neptune_nas.deploy.pte import to_pte
from neptune_nas.deploy.quantised_graph import QuantisedGraph
from neptune_nas.deploy.runtimes import check_runtime
from neptune_nas.deploy.tflite import float_file, int8_file
from neptune_nas.errors import DataError, OptionError
from neptune_nas.files.atomic import write_file
from neptune_nas.files.schema import decode
from neptune_nas.metrics.registry import IN_INT8, RAM
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.models.export.facts import facts
from neptune_nas.models.export.onnx import to_onnx
from neptune_nas.models.export.pt2 import to_pt2
from neptune_nas.models.export.python import to_python, to_state
from neptune_nas.models.model import Model
from neptune_nas.tasks.registry import find_task

_TOLERANCE = 1e-4  # of a logit in float32, absolute and relative
_STEPS = 8  # of the logits' scale: sigmoid and sums may be one off, which adds up
_SHOWN = 4  # classes in a message


def export(
    model: Model, kind: FileKind, path: Path, data: ImageData | None = None
) -> tuple[list[Path], ExportedFile | None]:
    """Write a model as a file of a kind; return the files written, and what was measured.

    `data`: what the model was trained on. Its training images calibrate int8, and its validation
    images score the file; without it, a file is compared on random images. The JSON beside a file
    that is measured holds labels, preprocessing, provenance and the record.

    Raises `NeptuneError` for a task without int8, another suffix, files that would replace others,
    a missing library, a network that the format cannot hold, int8 of a trained model without
    images, and a file that computes something else than the network.
    """
    if kind.precision == "int8" and find_task(model.task).metrics[0] not in IN_INT8:
        raise OptionError(
            f"network {model.key} is for {model.task}, which is not supported in int8: export it "
            f"in float32, as onnx or pt2."
        )
    files = files_of(kind, path)
    if not kind.is_checked:
        _write_unchecked(model, kind.form, files)
        return files, None
    document = document_beside(path)
    check_runtime(kind.runtime)
    candidate = _candidate(model, kind, data)
    record = check_file(model, kind, path.name, candidate, data)
    content: str | bytes = candidate.content
    if kind.form == "c" and candidate.quantised is not None:
        arena = int(record.measured[RAM.name])
        content = c_source(model, candidate.quantised, candidate.content, arena, path.name)
    write_file(path, content)
    write_document(document, _facts(model, kind, candidate.quantised), record)
    return [path, document], record


def data_name(model: Model) -> str | None:
    """Return the name of the data that a model was trained on, or its architecture searched on."""
    searched = model.of.provenance if isinstance(model.of, ExportedArchitecture) else {}
    name = model.provenance.get("data", searched.get("data"))
    return name if isinstance(name, str) else None


def data_for(model: Model, name: str, data_dir: str | Path | None = None) -> ImageData:
    """Return a data set with the images and classes of a model; raises `DataError` for another."""
    data = load_data(name, data_dir)
    for what, got, wanted in (
        ("images", data.input_shape, model.input_shape),
        ("classes", data.classes, model.labels),
    ):
        if got != wanted:
            raise DataError(
                f"data '{name}': its {what} must be those of the model, {_short(wanted)}, but are "
                f"{_short(got)}: name the data that the model was trained on."
            )
    return data


def _short(values: tuple[object, ...]) -> str:
    few = ", ".join(map(str, values[:_SHOWN]))
    return f"({few}, ...)" if len(values) > _SHOWN else f"({few})"


def _write_unchecked(model: Model, form: str, files: list[Path]) -> None:
    """Write a file that needs torch to run, or that its own writer compares."""
    if form != "python":
        write_file(files[0], {"onnx": to_onnx, "pt2": to_pt2}[form](model))
        return
    source, weights = files
    text = to_python(model, weights.name)
    write_file(weights, to_state(model))
    write_file(source, text)


def _candidate(model: Model, kind: FileKind, data: ImageData | None) -> Candidate:
    """Return the content of a file, before anything is compared."""
    if kind.precision == "float32":
        content = to_pte(model) if kind.form == "pte" else float_file(graph_of(model))
        return Candidate(content, model.classifier(), _TOLERANCE, _TOLERANCE)
    if kind.quantises_anew:
        quantised_by = {"onnx": to_int8_onnx, "pte": to_pte}[kind.form]
        return Candidate(quantised_by(model, _calibration(model, data)), model.classifier())
    quantised = int8_graph_of(model, () if model.int8 else _calibration(model, data))
    step = quantised.scales[quantised.graph.output].step
    simulation = partial(run_int8, quantised, rounds_once=not kind.is_lean)
    content = int8_file(quantised, lean=kind.is_lean)
    return Candidate(content, simulation, absolute=_STEPS * step, quantised=quantised)


def _calibration(model: Model, data: ImageData | None) -> Iterable[Tensor]:
    """Return the images that int8 is calibrated on; for untrained weights, random ones do.

    A model that was trained for int8 keeps how many, and which.
    """
    if data is not None:
        terms = model.provenance.get("calibration")
        return calibration_batches(data, decode(Calibration, terms) if terms else CALIBRATION)
    if model.is_trained:
        raise DataError(
            f"int8 needs images to calibrate network {model.key} on: say as `data` "
            f"(--data) what it was trained on."
        )
    return (random_images(model),)


def _facts(model: Model, kind: FileKind, quantised: QuantisedGraph | None) -> dict[str, Any]:
    """Return labels, preprocessing and provenance of a model, as its file takes and gives them."""
    known = facts(model)
    if kind.runtime in ("onnxruntime", "executorch"):
        return known
    source, target = {**known["input"], "layout": "NHWC"}, dict(known["output"])
    if quantised is not None:
        graph = quantised.graph
        source |= {"values": "int8: the bytes of pixels minus 128; they are normalised inside"}
        each = "a label and pixel, NHWC" if len(graph.shapes[graph.output]) == 3 else "a label"
        target |= {"values": f"int8: one logit {each}; softmax makes probabilities of real ones"}
        for end, value in ((source, graph.inputs[0]), (target, graph.output)):
            scale = quantised.scales[value]
            end |= {"scale": scale.step, "zero_point": scale.zero_point}
    return {**known, "input": source, "output": target}

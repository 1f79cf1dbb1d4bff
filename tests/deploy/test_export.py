import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from neptune_nas.architecture.dense_heads import LrasppHead
from neptune_nas.architecture.records import Architecture, Conv, Stage, Stem
from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_data
from neptune_nas.deploy.export import data_for, data_name, export
from neptune_nas.deploy.exported_file import read_document
from neptune_nas.deploy.file_check import Candidate, check_file
from neptune_nas.deploy.formats import FORMATS, Precision, file_kind
from neptune_nas.deploy.int8_accuracy import Calibration, calibration_batches, measure_int8
from neptune_nas.deploy.int8_model import with_int8
from neptune_nas.deploy.model_graph import graph_of
from neptune_nas.deploy.quantisation import quantise
from neptune_nas.deploy.runtimes import open_file
from neptune_nas.deploy.tflite import float_file, int8_file
from neptune_nas.errors import DataError, NeptuneError, OptionError
from neptune_nas.metrics.registry import FLASH, INT8, RAM
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import Model, make_untrained
from neptune_nas.nn.builder import Shape
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.tasks.registry import task_of
from tests.models.export.forms import random_model, run

PLAIN = Architecture(Stem(4), (Stage(8, substages=()),))  # has norms that no runtime runs
SMALL = Architecture(Stem(8), (Stage(8, pool="avg", norm="batch", substages=(Conv(3),)),))
MODEL = random_model(PLAIN, (1, 6, 6))
ITEM = without_study(SMALL, (1, 8, 8), 10)
UNTRAINED = make_untrained(ITEM)
TFLITE = file_kind("tflite")


@pytest.fixture(scope="module")
def data() -> ImageData:
    digits = load_data("digits")
    return replace(digits, validation=digits.validation[torch.arange(64)])


@pytest.fixture(scope="module")
def model(data: ImageData) -> Model:
    """Return a model of digits, as if it were trained."""
    costs = {**ITEM.costs, RAM.name: 9_000.0, FLASH.name: 4_000.0}
    found = random_model(SMALL, (1, 8, 8))
    network = replace(ITEM, costs=costs)
    return replace(
        found,
        of=network,
        labels=data.classes,
        state=network.build(seed=3).state_dict(),
        provenance={"data": "digits"},
    )


def test_a_python_file_has_its_weights_beside_it(tmp_path: Path) -> None:
    files, record = export(MODEL, file_kind("python"), tmp_path / "net.py")
    assert [file.name for file in files] == ["net.py", "net.pt"]
    assert all(file.is_file() for file in files)
    assert 'load("net.pt")' in files[0].read_text()
    assert record is None


def test_a_python_file_is_written_again_with_its_weights(tmp_path: Path) -> None:
    export(MODEL, file_kind("python"), tmp_path / "net.py")
    (tmp_path / "net.pt").write_text("old")
    export(MODEL, file_kind("python"), tmp_path / "net.py")
    assert (tmp_path / "net.pt").read_bytes() != b"old"


def test_a_graph_is_one_file(tmp_path: Path) -> None:
    assert export(MODEL, file_kind("pt2"), tmp_path / "net.pt2")[0] == [tmp_path / "net.pt2"]
    assert (tmp_path / "net.pt2").stat().st_size > 0


@pytest.mark.parametrize("form", ["python", "tflite"])
def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path, form: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NeptuneError, match="cannot be written"):
        export(UNTRAINED, file_kind(form), tmp_path / "file" / f"net{FORMATS[form].suffix}")


def test_the_accuracy_of_the_file_is_that_of_the_simulation(
    model: Model, data: ImageData, tmp_path: Path
) -> None:
    _, record = export(model, TFLITE, tmp_path / "net.tflite", data)
    quantised = quantise(graph_of(model), calibration_batches(data))
    found = measure_int8(quantised, data.validation, task_of(data))
    assert record is not None
    assert record.measured[INT8[0].name] == found["accuracy"]
    assert record.promised[INT8[0].name] == found["accuracy"]
    assert (record.images, record.difference, record.trained) == (64, 0, True)


def test_masks_of_odd_sides_are_those_of_the_simulation_in_litert(tmp_path: Path) -> None:
    """The reference kernels' places of pixels, which drift, would be more than a step off."""
    stages = tuple(Stage(width, stride=2, norm="batch") for width in (12, 16))
    dense = random_model(Architecture(Stem(8, 3, 2), stages, head=LrasppHead(8)), (3, 121, 163))
    kind = file_kind("tflite", "int8", "litert")
    _, record = export(replace(dense, task="segmentation"), kind, tmp_path / "net.tflite")
    assert record is not None
    assert record.difference < 0.03  # a step is 0.015


def test_memory_is_recorded_beside_what_was_counted(
    model: Model, data: ImageData, tmp_path: Path
) -> None:
    _, record = export(model, TFLITE, tmp_path / "net.tflite", data)
    assert record is not None
    assert (record.promised[RAM.name], record.promised[FLASH.name]) == (9_000, 4_000)
    assert record.measured[FLASH.name] == (tmp_path / "net.tflite").stat().st_size == record.size
    assert record.measured[RAM.name] > 8 * 8 * 8  # the largest map


def test_a_trainings_own_score_is_the_promise(
    model: Model, data: ImageData, tmp_path: Path
) -> None:
    scored = replace(model, metrics={"validation_int8_accuracy": 0.75})
    _, record = export(scored, TFLITE, tmp_path / "net.tflite", data)
    assert record is not None
    assert record.promised[INT8[0].name] == 0.75


def test_the_int8_part_of_a_model_is_written_without_images(
    model: Model, data: ImageData, tmp_path: Path
) -> None:
    quantised = quantise(graph_of(model), calibration_batches(data))
    export(model, TFLITE, tmp_path / "calibrated.tflite", data)
    export(with_int8(model, quantised), TFLITE, tmp_path / "kept.tflite")
    files = [(tmp_path / f"{name}.tflite").read_bytes() for name in ("calibrated", "kept")]
    assert files[0] == files[1]


def test_int8_is_calibrated_on_the_images_that_the_training_took(
    model: Model, data: ImageData, tmp_path: Path
) -> None:
    terms = Calibration(images=20, seed=3)
    kept = replace(model, provenance={"data": "digits", "calibration": asdict(terms)})
    export(kept, TFLITE, tmp_path / "net.tflite", data)
    quantised = quantise(graph_of(model), calibration_batches(data, terms))
    assert (tmp_path / "net.tflite").read_bytes() == int8_file(quantised)


@pytest.mark.parametrize("form", ["tflite", "onnx", "c"])
def test_int8_of_a_trained_model_needs_images(model: Model, tmp_path: Path, form: str) -> None:
    place = tmp_path / f"net{FORMATS[form].suffix}"
    with pytest.raises(DataError, match=rf"int8 needs images .* {model.key} .*\(--data\)"):
        export(model, file_kind(form, "int8"), place)
    assert [*tmp_path.iterdir()] == []


def test_an_untrained_network_needs_none(tmp_path: Path) -> None:
    _, record = export(UNTRAINED, TFLITE, tmp_path / "net.tflite")
    assert record is not None
    assert (record.trained, record.images, {*record.measured}) == (False, 0, {"ram", "flash"})


@pytest.mark.parametrize("runtime", ["tflite-micro", "litert"])
def test_a_float_file_is_compared_with_the_network(tmp_path: Path, runtime: str) -> None:
    kind = file_kind("tflite", "float32", runtime)
    _, record = export(UNTRAINED, kind, tmp_path / "net.tflite")
    assert record is not None
    assert record.difference < 1e-5


def test_a_file_for_onnxruntime_is_quantised_by_it(
    model: Model, data: ImageData, tmp_path: Path
) -> None:
    path = tmp_path / "net.onnx"
    _, record = export(model, file_kind("onnx", "int8"), path, data)
    images = data.validation.images.float() / 255
    logits = open_file(path.read_bytes(), "onnxruntime").predict(images)
    share = logits.argmax(1).eq(data.validation.targets).float().mean().item()
    assert record is not None
    assert record.measured == {INT8[0].name: pytest.approx(share)}
    right = run(model.classifier(), images).argmax(1).eq(data.validation.targets)
    assert record.promised == {"accuracy": pytest.approx(right.float().mean().item())}
    assert b"QuantizeLinear" in path.read_bytes()


def test_what_a_quantiser_makes_anew_is_not_promised_the_score_of_the_training(
    model: Model, data: ImageData, tmp_path: Path
) -> None:
    quantised = quantise(graph_of(model), calibration_batches(data))
    tuned = replace(with_int8(model, quantised), metrics={"validation_int8_accuracy": 0.75})
    kind = file_kind("onnx", "int8")
    _, record = export(tuned, kind, tmp_path / "net.onnx", data)
    assert record is not None
    assert {*record.promised} == {"accuracy"}


def test_a_file_that_computes_something_else_is_refused() -> None:
    content = float_file(graph_of(UNTRAINED))
    other = Candidate(content, lambda images: torch.ones(len(images), 10), absolute=0.1)
    with pytest.raises(NeptuneError, match=r"gives other logits than the network, by .*"):
        check_file(UNTRAINED, TFLITE, "net.tflite", other, None)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 8, 8), r"its classes must be .*\(class 0, .*, but are \(0, 1, 2, 3, \.\.\.\)"),
        ((1, 9, 9), r"its images must be .*\(1, 9, 9\), but are \(1, 8, 8\)"),
    ],
)
def test_data_of_another_network_are_refused(shape: Shape, words: str) -> None:
    with pytest.raises(DataError, match=words):
        data_for(random_model(SMALL, shape), "digits")


def test_a_model_says_what_it_was_trained_on(model: Model) -> None:
    assert data_name(model) == "digits"
    assert data_name(UNTRAINED) is None
    searched = replace(ITEM, provenance={"data": "cifar10"})
    assert data_name(replace(UNTRAINED, of=searched)) == "cifar10"
    assert data_name(make_untrained(ReferenceNetwork("resnet8", (1, 8, 8), 10))) is None


def test_another_document_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text('{"format": "neptune-nas/architecture"}')
    with pytest.raises(OptionError, match=r"would be written to .*net\.json, but that file holds"):
        export(UNTRAINED, TFLITE, tmp_path / "net.tflite")
    assert [file.name for file in tmp_path.iterdir()] == ["net.json"]


def test_the_document_says_what_the_file_takes_and_gives(tmp_path: Path) -> None:
    export(UNTRAINED, TFLITE, tmp_path / "net.tflite")
    content = json.loads((tmp_path / "net.json").read_text())["files"]["net.tflite"]
    assert content["labels"] == [*map(str, range(10))]
    assert content["input"]["layout"] == "NHWC"
    assert content["input"]["zero_point"] == -128
    assert content["input"]["scale"] == pytest.approx(1 / 255)
    assert content["output"]["scale"] > 0
    assert read_document(tmp_path / "net.json")["net.tflite"].precision == "int8"


@pytest.mark.parametrize(
    ("form", "precision", "library", "extra"),
    [
        ("tflite", "int8", "ai_edge_litert", "litert"),
        ("tflite", "float32", "tflite_micro", "litert"),
        ("c", "int8", "flatbuffers", "litert"),
        ("onnx", "int8", "onnxruntime", "onnx"),
        ("pte", "float32", "executorch", "executorch"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    form: str,
    precision: Precision,
    library: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(NeptuneError, match=rf"needs {library}, .*'neptune-nas\[{extra}\]'"):
        export(UNTRAINED, file_kind(form, precision), tmp_path / f"net{FORMATS[form].suffix}")
    assert [*tmp_path.iterdir()] == []

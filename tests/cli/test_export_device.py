"""The command `export`, for files of a device."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neptune_nas.architecture.records import Architecture, Conv, Stage, Stem
from neptune_nas.cli.exported import remember
from neptune_nas.deploy.exported_file import read_document
from neptune_nas.deploy.int8_model import with_int8
from neptune_nas.deploy.model_graph import int8_graph_of
from neptune_nas.files.locks import locked
from neptune_nas.models.model import load_model, make_untrained, save_model
from neptune_nas.search.config import Search
from neptune_nas.space import Space, choice
from neptune_nas.study.export import export_trial
from neptune_nas.study.exports import read_exports
from neptune_nas.study.folder import Folder
from neptune_nas.study.read import read_study
from tests.cli.run import assert_one_sentence, neptune

SMALL = Architecture(Stem(8), (Stage(8, pool="avg", norm="batch", substages=(Conv(3),)),))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of two trials, of networks that every runtime has kernels for."""
    space = Space("plain", replace(SMALL, stem=Stem(choice(4, 8))))
    out = tmp_path_factory.mktemp("plain")
    return Search(space, trials=2, rungs=(1,), out=out, jobs=1, threads=1).run().folder


@pytest.fixture(scope="module")
def weights(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of trial 0 of the study, as if it were trained on digits."""
    (trial,) = (each for each in read_study(plain).trials if each.number == 0)
    model = make_untrained(export_trial(read_study(plain), trial))
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_model(path, replace(model, provenance={"data": "digits"}))
    return path


def test_a_trial_with_weights_is_measured_and_noted_in_its_study(
    plain: Path, weights: Path, tmp_path: Path
) -> None:
    file = tmp_path / "net.tflite"
    outcome = neptune("export", plain, "--trial", 0, "--weights", weights, "-o", file)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[:2] == [f"Trial 0: {file}", f"Trial 0: {tmp_path / 'net.json'}"]
    assert re.search(r"int8 accuracy +\d\.\d{4} +\d\.\d{4}", outcome.out)
    assert "On tflite-micro and 360 validation images, its logits equal those" in outcome.out
    (export,) = read_study(plain).exports
    assert (export.trial, export.file.trained, export.file.images) == (0, True, 360)
    assert export.file == read_document(tmp_path / "net.json")["net.tflite"]


def test_a_trial_without_weights_is_written_with_a_word_of_warning(
    plain: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(plain, tmp_path / "study")
    outcome = neptune(
        "export", copy, "--trial", 1, "--runtime", "litert", "-o", tmp_path / "n.tflite"
    )
    assert outcome.err.startswith("Note: the exported model has random weights, ")
    assert "On litert and random images, its logits" in outcome.out
    assert [(each.trial, each.file.trained) for each in read_study(copy).exports][-1] == (1, False)


def test_a_study_that_is_in_use_is_exported_from_without_its_note(
    plain: Path, tmp_path: Path
) -> None:
    folder = Folder(plain)
    before = read_exports(folder)
    with locked(folder.exports_lock, "busy"):
        outcome = neptune("export", plain, "--float32", "-o", tmp_path / "net.tflite")
    assert outcome.code == 0
    assert "Note: the report will not show this file. another command" in outcome.err
    assert read_exports(folder) == before


def test_records_that_were_damaged_meanwhile_are_noted(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    neptune("export", plain, "--trial", 1, "-o", tmp_path / "net.tflite")
    copy = shutil.copytree(plain, tmp_path / "study")
    study = read_study(copy)
    Folder(copy).exports.write_text("{")
    remember(study.exports[0].file, copy, export_trial(study, study.trials[1]))
    assert "Note: the report will not show this file. " in capsys.readouterr().err
    assert Folder(copy).exports.read_text() == "{"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--format", "json", "--int8"), ("json writes an architecture without weights",)),
        (("--int8", "-o", "n.pt2"), ("pt2 must be float32", "can be int8")),
        (("--runtime", "lite", "-o", "n.tflite"), ("'lite'", "did you mean 'litert'?")),
        (("--weights", "nothing", "-o", "n.tflite"), ("nothing", "cannot be read")),
        (("--trial", 1, "--weights", "WEIGHTS", "-o", "n.h"), ("--weights must be of network",)),
        (("--trial", 0, "--weights", "WEIGHTS", "--data", "mnst", "-o", "n.h"), ("'mnist'",)),
    ],
)
def test_what_a_device_cannot_get_is_one_sentence(
    plain: Path,
    weights: Path,
    options: tuple[object, ...],
    parts: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    named = (weights if each == "WEIGHTS" else each for each in options)
    assert_one_sentence(neptune("export", plain, *named), *parts)
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_is_no_training_has_no_weights(plain: Path, tmp_path: Path) -> None:
    outcome = neptune("export", plain, "--weights", plain, "-o", tmp_path / "net.tflite")
    assert_one_sentence(outcome, "metrics.json cannot be read")


def test_weights_of_a_model_are_its_own(weights: Path, tmp_path: Path) -> None:
    outcome = neptune("export", weights, "--weights", weights, "-o", tmp_path / "net.tflite")
    assert_one_sentence(outcome, "SOURCE is a trained model: leave it out")


def test_data_that_is_gone_stops_int8_but_not_a_float_file(weights: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.safetensors"
    save_model(gone, replace(load_model(weights), provenance={"data": "folder:nowhere"}))
    assert_one_sentence(neptune("export", gone, "-o", tmp_path / "net.tflite"), "nowhere")
    known = tmp_path / "known.safetensors"
    save_model(known, replace(load_model(weights), provenance={"data": "cifar10"}))
    refused = neptune("export", known, "-o", tmp_path / "net.tflite", "--data-dir", tmp_path)
    assert_one_sentence(refused, "data 'cifar10', which", "known.safetensors names, is not in")
    outcome = neptune("export", gone, "--float32", "-o", tmp_path / "net.tflite")
    assert outcome.code == 0
    assert outcome.err.startswith("Note: the file is compared on random images. data 'folder:nowh")


def test_int8_that_is_not_that_of_the_training_is_said(weights: Path, tmp_path: Path) -> None:
    model, tuned = load_model(weights), tmp_path / "tuned.safetensors"
    quantised = int8_graph_of(model, [torch.rand(4, *model.input_shape)])
    save_model(tuned, with_int8(model, quantised))
    outcome = neptune("export", tuned, "--int8", "-o", tmp_path / "net.onnx")
    assert outcome.code == 0
    assert outcome.err.startswith("Note: onnxruntime quantises the weights in float32 anew")


def test_an_operation_without_a_kernel_is_named_with_its_place(study: Path, tmp_path: Path) -> None:
    outcome = neptune("export", study, "-o", tmp_path / "net.tflite")
    assert_one_sentence(outcome, "norm '", "the format onnx can hold this network")
    assert re.match(r"neptune-nas: stages\.0\.\w+.*: \w+.* norm '\w+': ", outcome.err)


@pytest.mark.parametrize("name", ["net.tflite", "net.onnx", "net.PTE"])
def test_a_file_that_was_exported_is_no_source(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"TFL3")
    for command in (("export", "-o", "other.tflite"), ("train",)):
        refused = neptune(command[0], tmp_path / name, *command[1:])
        assert_one_sentence(
            refused, "which is written but not read: name what it was exported from"
        )

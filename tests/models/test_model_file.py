import json
import os
from math import inf, nan
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from neptune_nas.errors import FileFormatError, NeptuneError
from neptune_nas.files.signatures import is_model_file
from neptune_nas.files.tensors import HEADER
from neptune_nas.models.model_file import (
    FORMAT,
    ModelFile,
    read_model_file,
    with_weights,
    write_model_file,
)

FIELDS = {
    "key": "a" * 16,
    "network": {},
    "task": "classification",
    "labels": [],
    "mean": [],
    "std": [],
    "metrics": {},
    "provenance": {},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def state() -> dict[str, Tensor]:
    return dict(nn.Linear(2, 3).state_dict())


def test_what_is_written_is_read_again(file: Path) -> None:
    weights = state()
    write_model_file(file, ModelFile(FIELDS, weights))
    again = read_model_file(file)
    assert again.header == {"format": FORMAT, "version": 1, **FIELDS}
    assert again.key == "a" * 16
    assert all(torch.equal(again.state[name], weights[name]) for name in weights)


def test_any_safetensors_reader_opens_the_weights(file: Path) -> None:
    write_model_file(file, ModelFile(FIELDS, state()))
    assert {*load_file(file)} == {"weight", "bias"}


def test_equal_contents_are_equal_files(file: Path) -> None:
    weights = state()
    write_model_file(file, ModelFile(FIELDS, weights))
    first = file.read_bytes()
    write_model_file(file, ModelFile(FIELDS, weights))
    assert file.read_bytes() == first


def test_tensors_in_any_layout_and_with_shared_memory_are_written(file: Path) -> None:
    wide = torch.rand(4, 3, 2, 2).to(memory_format=torch.channels_last)
    write_model_file(file, ModelFile(FIELDS, {"a": wide, "b": wide, "c": wide[0].mT}))
    again = read_model_file(file).state
    assert torch.equal(again["a"], wide)
    assert torch.equal(again["c"], wide[0].mT)


def test_weights_that_were_read_outlive_their_file(file: Path) -> None:
    weights = state()
    write_model_file(file, ModelFile(FIELDS, weights))
    again = read_model_file(file).state
    with file.open("r+b") as opened:
        opened.truncate(8)
        os.fsync(opened.fileno())
    assert torch.equal(again["weight"], weights["weight"])


def test_a_name_with_odd_characters_comes_back(file: Path) -> None:
    labels = ["é", "\udcff", '"', "\n", "\x00"]
    write_model_file(file, ModelFile({**FIELDS, "labels": labels}, state()))
    assert read_model_file(file).header["labels"] == labels


@pytest.mark.parametrize("value", [inf, Path("x"), {1, 2}])
def test_metrics_that_are_no_json_are_refused(file: Path, value: object) -> None:
    with pytest.raises(NeptuneError, match="metrics and provenance must be JSON"):
        write_model_file(file, ModelFile({**FIELDS, "metrics": {"x": value}}, state()))
    assert not file.exists()


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(FileFormatError, match=r"model\.safetensors cannot be read: No such file"):
        read_model_file(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot be read: Is a directory"):
        read_model_file(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_file_that_is_cut_off_is_refused(file: Path, kept: int) -> None:
    write_model_file(file, ModelFile(FIELDS, state()))
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(
        FileFormatError, match=r"(is not a complete safetensors file|must be safetensors that)"
    ):
        read_model_file(file)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "its metadata has no 'neptune-nas'"),
        ({HEADER: "{"}, "it is not valid JSON"),
        ({HEADER: "[]"}, r"it must be an object, but got \[\]"),
        ({HEADER: '{"format": "other"}'}, "`format` must be .* but got 'other'"),
        ({HEADER: json.dumps({"format": FORMAT, "version": 2})}, "`version` must be 1, but got 2"),
        ({HEADER: json.dumps({"format": FORMAT, "version": 1})}, "`key`, .* are missing"),
        (
            {HEADER: json.dumps({"format": FORMAT, "version": 1, **FIELDS, "metrics": {"x": nan}})},
            "must hold finite numbers, but has NaN",
        ),
        ({HEADER: "[" * 100_000}, "nested too deeply"),
    ],
    ids=str,
)
def test_a_file_with_another_header_is_refused(
    file: Path, metadata: dict[str, str], message: str
) -> None:
    save_file(state(), file, metadata)
    with pytest.raises(FileFormatError, match=rf"model\.safetensors: .*{message}"):
        read_model_file(file)


def test_a_network_with_weights_is_in_eval_mode() -> None:
    weights = ModelFile(FIELDS, state())
    network = with_weights(nn.Linear(2, 3), weights, "a" * 16)
    assert not network.training
    assert torch.equal(network.state_dict()["bias"], weights.state["bias"])


def test_weights_of_another_network_are_refused_by_key() -> None:
    with pytest.raises(FileFormatError, match="of the network b, but are of aaaa"):
        with_weights(nn.Linear(2, 3), ModelFile(FIELDS, state()), "b")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": None}, "`weight` is missing"),
        ({"more": torch.zeros(1)}, "`more` is not in the network"),
        ({"bias": torch.zeros(4)}, r"`bias` must have the shape \(3,\), but has \(4,\)"),
        ({"bias": torch.zeros(3).half()}, r"`bias` must be torch\.float32, but is torch\.float16"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    changes: dict[str, Tensor | None], message: str
) -> None:
    changed = {**state(), **changes}
    weights = {name: value for name, value in changed.items() if value is not None}
    with pytest.raises(FileFormatError, match=f"weights do not fit the network: {message}"):
        with_weights(nn.Linear(2, 3), ModelFile(FIELDS, weights), "a" * 16)


def test_a_models_file_is_known_by_its_name_or_its_first_bytes(tmp_path: Path) -> None:
    named, unnamed, text = (tmp_path / name for name in ("a.safetensors", "b", "c.json"))
    write_model_file(unnamed, ModelFile(FIELDS, state()))
    text.write_text('{"a":1}{{{{')
    assert is_model_file(named)
    assert is_model_file(unnamed)
    assert not is_model_file(text)
    assert not is_model_file(tmp_path / "nothing")
    assert not is_model_file(tmp_path)

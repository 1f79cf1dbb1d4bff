import json
from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.deploy.exported_file import (
    ExportedFile,
    document_beside,
    read_document,
    write_document,
)
from neptune_nas.errors import FileFormatError, OptionError

RECORD = ExportedFile(
    file="net.tflite",
    key="abc",
    form="tflite",
    precision="int8",
    runtime="tflite-micro",
    trained=True,
    size=1234,
    images=10,
    difference=0.0,
    measured={"ram": 5000.0, "int8_accuracy": 0.8},
    promised={"ram": 5000.0},
)


def test_a_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_document(tmp_path / "net.json", {"labels": ["a"]}, RECORD)
    assert read_document(tmp_path / "net.json") == {"net.tflite": RECORD}


def test_a_document_keeps_what_it_says_of_files_that_are_there(tmp_path: Path) -> None:
    other = replace(RECORD, file="net.onnx", form="onnx")
    write_document(tmp_path / "net.json", {}, RECORD)
    write_document(tmp_path / "net.json", {}, other)
    assert [*read_document(tmp_path / "net.json")] == ["net.onnx"]
    (tmp_path / "net.onnx").touch()
    write_document(tmp_path / "net.json", {}, RECORD)
    assert {*read_document(tmp_path / "net.json")} == {"net.onnx", "net.tflite"}


def test_a_document_of_something_else_is_left_alone(tmp_path: Path) -> None:
    assert document_beside(tmp_path / "net.tflite") == tmp_path / "net.json"
    (tmp_path / "net.json").write_text("{}")
    with pytest.raises(OptionError, match="that file holds something else: choose another name"):
        document_beside(tmp_path / "net.tflite")


@pytest.mark.parametrize(
    ("field", "value"), [("size", 0), ("precision", "int4"), ("measured", {"ram": "many"})]
)
def test_a_document_that_was_changed_by_hand_is_refused(
    tmp_path: Path, field: str, value: object
) -> None:
    file = tmp_path / "net.json"
    write_document(file, {}, RECORD)
    content = json.loads(file.read_text())
    content["files"]["net.tflite"]["export"][field] = value
    file.write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=rf"net\.json.*files\.net\.tflite\.export\.{field}"):
        read_document(file)


def test_a_broken_document_is_said_before_it_is_written_again(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    file.write_text('{"format": "neptune-nas/export", "version": 1}')
    with pytest.raises(FileFormatError, match=r"`files` is missing.*repair or remove it"):
        write_document(file, {}, RECORD)

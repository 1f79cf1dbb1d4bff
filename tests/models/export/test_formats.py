from pathlib import Path

import pytest

from neptune_nas.architecture.records import Architecture, Stage, Stem
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.models.export.formats import write
from tests.models.export.forms import random_model

MODEL = random_model(Architecture(Stem(4), (Stage(8, substages=()),)), (1, 6, 6))


def test_a_python_file_has_its_weights_beside_it(tmp_path: Path) -> None:
    files = write(MODEL, "python", tmp_path / "net.py")
    assert [file.name for file in files] == ["net.py", "net.pt"]
    assert all(file.is_file() for file in files)
    assert 'load("net.pt")' in files[0].read_text()


def test_a_python_file_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"ends in \.py, but got .*net\.pt"):
        write(MODEL, "python", tmp_path / "net.pt")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_a_graph_is_called_as_its_form(tmp_path: Path, form: str) -> None:
    with pytest.raises(OptionError, match=rf"ends in \.{form}, but got .*net\.safetensors"):
        write(MODEL, form, tmp_path / "net.safetensors")
    assert [*tmp_path.iterdir()] == []


def test_weights_of_something_else_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_text("of hours")
    with pytest.raises(OptionError, match=r"checkpoint\.pt, but that file exists"):
        write(MODEL, "python", tmp_path / "checkpoint.py")
    assert (tmp_path / "checkpoint.pt").read_text() == "of hours"


def test_a_python_file_is_written_again_with_its_weights(tmp_path: Path) -> None:
    write(MODEL, "python", tmp_path / "net.py")
    (tmp_path / "net.pt").write_text("old")
    write(MODEL, "python", tmp_path / "net.py")
    assert (tmp_path / "net.pt").read_bytes() != b"old"


def test_a_form_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="the format 'onxx' is unknown: did you mean 'onnx'"):
        write(MODEL, "onxx", tmp_path / "net")


def test_a_graph_is_one_file(tmp_path: Path) -> None:
    assert write(MODEL, "pt2", tmp_path / "net.pt2") == [tmp_path / "net.pt2"]
    assert (tmp_path / "net.pt2").stat().st_size > 0


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NeptuneError, match="cannot be written"):
        write(MODEL, "python", tmp_path / "file" / "net.py")

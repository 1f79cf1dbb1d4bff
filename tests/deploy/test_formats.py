from pathlib import Path
from typing import Any

import pytest

from neptune_nas.deploy.formats import FORMATS, FileKind, file_kind, files_of
from neptune_nas.deploy.runtime_registry import RUNTIMES
from neptune_nas.errors import OptionError

PYTHON = file_kind("python")


def test_each_format_has_its_own_suffix_and_runtimes_that_are_known() -> None:
    assert len({each.suffix for each in FORMATS.values()}) == len(FORMATS)
    assert {runtime for each in FORMATS.values() for runtime in each.runtimes} <= RUNTIMES.keys()


@pytest.mark.parametrize("form", sorted(FORMATS.keys() - {"json"}))
def test_a_file_is_called_as_its_format(form: str) -> None:
    suffix = FORMATS[form].suffix
    with pytest.raises(OptionError, match=rf"ends in \{suffix}, but got net\.safetensors"):
        files_of(file_kind(form), Path("net.safetensors"))
    assert files_of(file_kind(form), Path(f"net{suffix}"))[0] == Path(f"net{suffix}")


def test_weights_of_something_else_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_text("of hours")
    with pytest.raises(OptionError, match=r"checkpoint\.pt, but that file exists"):
        files_of(PYTHON, tmp_path / "checkpoint.py")
    (tmp_path / "checkpoint.py").touch()
    assert len(files_of(PYTHON, tmp_path / "checkpoint.py")) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("onxx",), "the format 'onxx' is unknown: did you mean 'onnx'"),
        (("json",), "the format 'json' is unknown: choose one of"),
        (("pt2", "int8"), "pt2 must be float32, but got int8: onnx, tflite, c, pte can be int8"),
        (("c", "float32"), "c must be int8, but got float32"),
        (("tflite", None, "lite-rt"), "run by tflite-micro or litert, .* did you mean 'litert'"),
        (("python", None, "litert"), "python is run by torch, but got the runtime 'litert'"),
    ],
)
def test_a_kind_of_file_that_there_is_not_is_refused(options: Any, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        file_kind(*options)


def test_what_is_not_said_is_the_formats_usual() -> None:
    assert file_kind("tflite") == FileKind("tflite", "int8", "tflite-micro")
    assert file_kind("tflite", "float32", "litert") == FileKind("tflite", "float32", "litert")
    assert file_kind("onnx") == FileKind("onnx", "float32", "onnxruntime")
    assert file_kind("pt2") == FileKind("pt2", "float32", "")

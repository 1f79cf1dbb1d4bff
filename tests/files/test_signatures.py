import gzip
import pickle
import sqlite3
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from neptune_nas.files.signatures import is_safetensors, kind_of
from neptune_nas.files.tensors import dump_tensors


def picture(kind: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (2, 2)).save(file, kind)
    return file.getvalue()


def weights(*, zipped: bool) -> bytes:
    file = BytesIO()
    torch.save({"x": torch.zeros(1)}, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (picture("PNG"), "a PNG image"),
        (picture("JPEG"), "a JPEG image"),
        (picture("GIF"), "a GIF image"),
        (picture("PDF"), "a PDF"),
        (weights(zipped=True), r"a zip archive, as `torch.save` writes"),
        (weights(zipped=False), "a pickle, as old releases of torch write"),
        (gzip.compress(b"a", mtime=0), "a gzip file"),
        (b"", "empty"),
        ("größer".encode(), "a text file"),
        ("é".encode() * 9, "a text file"),
        (pickle.dumps([1], protocol=5), "a binary file of another kind"),
        (bytes(range(256)), "a binary file of another kind"),
    ],
)
def test_a_file_is_told_by_how_it_begins(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind
    assert kind_of(content[:15]) == kind
    assert not is_safetensors(content)


def test_a_database_is_told(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("create table a (b)")
    connection.close()
    assert kind_of((tmp_path / "a.db").read_bytes()) == "an SQLite database"


def test_safetensors_are_told_whole_or_not() -> None:
    whole = dump_tensors("", {"x": torch.zeros(3)})
    assert is_safetensors(whole)
    assert is_safetensors(whole[:20])

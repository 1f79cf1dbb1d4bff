import os
import struct
from collections.abc import Callable
from pathlib import Path, PosixPath

import pytest
import torch
from safetensors.torch import load_file, save_file

from neptune_nas.errors import FileFormatError
from neptune_nas.files import tensors as module
from neptune_nas.files.tensors import HEADER, dump_tensors, read_tensors


def test_a_text_and_its_tensors_come_back(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(dump_tensors("é\n", {"x": torch.arange(3)}))
    text, tensors = read_tensors(file)
    assert text == "é\n"
    assert tensors["x"].tolist() == load_file(file)["x"].tolist() == [0, 1, 2]


def test_a_system_without_files_by_descriptor_reads_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_DESCRIPTORS", tmp_path / "fd")
    file = tmp_path / "a.safetensors"
    file.write_bytes(dump_tensors("text", {"x": torch.arange(3)}))
    text, tensors = read_tensors(file)
    assert (text, tensors["x"].tolist()) == ("text", [0, 1, 2])


def test_tensors_that_share_memory_are_each_written(tmp_path: Path) -> None:
    file, x = tmp_path / "a.safetensors", torch.rand(4, 3, 2, 2)
    file.write_bytes(dump_tensors("", {"x": x, "same": x, "mirrored": x[0].mT}))
    _, tensors = read_tensors(file)
    assert torch.equal(tensors["same"], x)
    assert torch.equal(tensors["mirrored"], x[0].mT)


def test_tensors_without_our_text_are_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "a", {"other": "text"})
    with pytest.raises(FileFormatError, match=f"a: it holds tensors, .* no '{HEADER}'"):
        read_tensors(tmp_path / "a")


def test_what_is_no_whole_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(dump_tensors("", {"x": torch.zeros(9)})[:-1])
    with pytest.raises(FileFormatError, match="a is not a complete safetensors file"):
        read_tensors(tmp_path / "a")
    with pytest.raises(FileFormatError, match="b cannot be read: No such file"):
        read_tensors(tmp_path / "b")


def test_what_is_another_file_is_said_to_be_that(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(1)}, tmp_path / "a.safetensors")
    (tmp_path / "b").touch()
    for name, kind in (("a.safetensors", "a zip archive, as `torch.save` writes"), ("b", "empty")):
        with pytest.raises(FileFormatError, match=rf"{name} must be safetensors .* is {kind}: "):
            read_tensors(tmp_path / name)


@pytest.mark.parametrize("length", [2**24 + 1, 2**25, 2**40, 2**56 - 1])
def test_a_header_larger_than_is_read_is_refused_by_the_length_that_it_says(
    length: int, tmp_path: Path
) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(struct.pack("<Q", length) + b'{"__metadata__":{}}')
    with file.open("r+b") as opened:
        opened.truncate(2**26)  # as large as the header may be, without room on a disk
    says = (
        f"a.safetensors must have a header of at most 16,777,216 bytes, but has one of {length:,}"
    )
    with pytest.raises(FileFormatError, match=says):
        read_tensors(file)


class Swapping(PosixPath):
    """A path at which something else lies from the second time on that it is looked up."""

    swap: Callable[[str], object]
    looks = 0

    def __str__(self) -> str:
        path = super().__str__()
        self.looks += 1
        if self.looks == 2:
            os.unlink(path)
            self.swap(path)
        return path


@pytest.mark.parametrize(
    "swap",
    [
        lambda path: os.symlink(f"{path}.other", path),
        lambda path: os.link(f"{path}.other", path),
        lambda path: os.symlink("/dev/zero", path),
        os.mkfifo,
        len,
    ],
    ids=["a link", "another file", "a device", "a pipe", "nothing"],
)
def test_what_is_read_is_the_file_that_was_checked(
    swap: Callable[[str], object], tmp_path: Path
) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(dump_tensors("checked", {"x": torch.arange(3)}))
    Path(f"{file}.other").write_bytes(dump_tensors("other", {}))
    path = Swapping(file)
    path.swap = swap
    text, tensors = read_tensors(path)
    assert (text, tensors["x"].tolist()) == ("checked", [0, 1, 2])

"""Files that are none, have no end, or are larger than what is read."""

import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file
from neptune_nas.files.regular import (
    first_bytes,
    is_file,
    is_folder,
    open_regular,
    read_bytes,
    unzipped,
)
from neptune_nas.models.architecture_file import load
from neptune_nas.models.model import load_model
from neptune_nas.study.folder import read_settings
from neptune_nas.training.recipe_file import read_recipe

READERS: dict[str, Callable[[Path], object]] = {
    "a.json": load,
    "a.safetensors": load_model,
    "recipe.toml": read_recipe,
    "recipe.json": read_recipe,
    "study.toml": read_settings,
    "text": read_file,
}


def make_pipe(path: Path) -> str:
    os.mkfifo(path)
    return "it is a pipe, not a file"


def make_device(path: Path) -> str:
    path.symlink_to("/dev/zero")
    return "it is a device, not a file"


def make_loop(path: Path) -> str:
    path.symlink_to(path)
    return "Too many levels of symbolic links|symbolic link"


def make_large(path: Path) -> str:
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # takes no room on a disk
    return "is too large: it must have at most 32 MiB|but is a binary file"


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("make", [make_pipe, make_device, make_loop, make_large])
def test_what_is_no_file_to_read_is_refused_at_once(
    name: str, make: Callable[[Path], str], tmp_path: Path
) -> None:
    file = tmp_path / name
    says = make(file)
    with pytest.raises(FileFormatError, match=says):
        READERS[name](file)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("path", ["x" * 5000, "/".join(["y" * 200] * 25), "nul\0"])
def test_a_path_that_no_system_allows_is_refused_in_a_line(name: str, path: str) -> None:
    with pytest.raises(FileFormatError, match="cannot be read: ") as no:
        READERS[name](Path(f"{path}{Path(name).suffix}"))
    assert len(str(no.value)) < 800


def test_a_path_that_no_system_allows_is_nothing() -> None:
    for path in (Path("x" * 5000), Path("nul\0")):
        assert not is_file(path)
        assert not is_folder(path)
        assert first_bytes(path, 3) == b""


def test_as_many_bytes_are_read_as_are_allowed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * 2**20)
    assert len(read_bytes(file, 2**20)) == 2**20
    assert first_bytes(file, 3) == b"xxx"
    with open_regular(file) as opened:
        assert opened.read(2) == b"xx"
    file.write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(
        FileFormatError, match=re.escape("a is too large: it must have at most 1 MiB.")
    ):
        read_bytes(file, 2**20)


def test_a_gzip_file_of_several_members_is_unpacked(tmp_path: Path) -> None:
    data = gzip.compress(b"one ") + gzip.compress(b"two")
    assert unzipped(tmp_path / "a.gz", data) == b"one two"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (gzip.compress(bytes(2**22), mtime=0), "is too large: it must have at most 1 MiB"),
        (gzip.compress(bytes(2**19), mtime=0) * 3, "is too large"),
        (gzip.compress(b"one", mtime=0)[:-9], "is a gzip file that is cut off"),
        (b"plain text", "is not a gzip file"),
    ],
)
def test_what_does_not_unpack_to_a_little_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(FileFormatError, match=says):
        unzipped(Path("a.gz"), data, 2**20)

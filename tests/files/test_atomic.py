from pathlib import Path
from unittest.mock import patch

import pytest

from neptune_nas.errors import FileFormatError, NeptuneError
from neptune_nas.files.atomic import read_file, write_file


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    write_file(tmp_path / "new" / "a.txt", "Grüße")
    assert read_file(tmp_path / "new" / "a.txt") == "Grüße"


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    write_file(tmp_path / "a.txt", "old")
    full = OSError(28, "No space left on device")
    with patch("os.fsync", side_effect=full), pytest.raises(NeptuneError, match="No space left"):
        write_file(tmp_path / "a.txt", "new")
    assert read_file(tmp_path / "a.txt") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NeptuneError, match="cannot be written"):
        write_file(tmp_path / "file" / "a.txt", "x")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match="not a text file"):
        read_file(tmp_path / "a.txt")

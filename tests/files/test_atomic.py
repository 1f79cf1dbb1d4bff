import os
from pathlib import Path
from unittest.mock import patch

import pytest

from neptune_nas.errors import FileFormatError, NeptuneError
from neptune_nas.files.atomic import check_inside, read_file, write_file


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


def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "study").mkdir()
    for name, target in (("a.html", victim), ("b.html", tmp_path / "nowhere")):
        (tmp_path / "study" / name).symlink_to(target)
        write_file(tmp_path / "study" / name, "new")
        assert not (tmp_path / "study" / name).is_symlink()
        assert read_file(tmp_path / "study" / name) == "new"
    assert victim.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study", "victim"]


def test_what_lies_under_the_name_to_be_written_first_is_left_alone(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    with patch("secrets.token_hex", return_value="guessed"):
        (tmp_path / ".a.html.guessed").symlink_to(victim)
        with pytest.raises(NeptuneError, match=r"a\.html cannot be written \(File exists\)"):
            write_file(tmp_path / "a.html", "new")
    assert victim.read_text() == "mine"


def test_two_writes_use_two_names_that_nobody_can_guess(tmp_path: Path) -> None:
    names = set()
    for _ in range(8):
        with patch("os.fsync", side_effect=lambda _: names.update(os.listdir(tmp_path))):
            write_file(tmp_path / "a.txt", "x")
    assert len(names - {"a.txt"}) == 8
    assert all(len(name) > len(".a.txt.") + 12 for name in names - {"a.txt"})


def test_a_new_file_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "a.txt", "x")
        (tmp_path / "private").write_text("")
        (tmp_path / "private").chmod(0o600)
        write_file(tmp_path / "private", "x")
        (tmp_path / "open").write_text("")
        (tmp_path / "open").chmod(0o4777)
        write_file(tmp_path / "open", "x")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in tmp_path.iterdir()}
    assert modes == {"a.txt": 0o640, "private": 0o600, "open": 0o640}


def test_a_write_that_is_interrupted_leaves_nothing_beside(tmp_path: Path) -> None:
    with (
        patch("os.fsync", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt, match=r"^$"),
    ):
        write_file(tmp_path / "a.txt", "x")
    assert list(tmp_path.iterdir()) == []


def test_a_place_behind_a_link_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    study = tmp_path / "study"
    (study / "inside").mkdir(parents=True)
    (study / "to-inside").symlink_to("inside")
    (study / "out").symlink_to(tmp_path)
    (study / "nowhere").symlink_to(tmp_path / "nowhere")
    (study / "round").symlink_to("round")
    (tmp_path / "link").symlink_to(study)
    check_inside(study, [study / "inside", study / "to-inside" / "x", study / "new"])
    check_inside(tmp_path / "link", [tmp_path / "link" / "inside"])
    for name in ("out", "nowhere", "out/study2"):
        with pytest.raises(NeptuneError, match=r"leads out of .*: replace the link"):
            check_inside(study, [study / name])

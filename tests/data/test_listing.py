import os
from pathlib import Path

import pytest

from neptune_nas.data.listing import Listing
from neptune_nas.errors import DataError
from tests.data.folders import write_picture


def names(folder: Path) -> list[str]:
    """Return the images below a folder, as paths in it."""
    return [str(file.relative_to(folder)) for file in Listing(folder).files(folder)]


def left_out(folder: Path) -> str:
    listing = Listing(folder)
    listing.files(folder)
    return " ".join(listing.sentences())


@pytest.mark.parametrize(
    "name",
    [
        *(".ipynb_checkpoints/a.png", ".git/a.png", "__MACOSX/a.png", "@eaDir/a.png"),
        *("._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "sub/.hidden.png"),
    ],
)
def test_what_systems_and_programs_leave_behind_is_left_out(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / name, format="PNG")
    write_picture(tmp_path / "cat.png")
    assert names(tmp_path) == ["cat.png"]
    example = str(Path(name).parent) if "/a.png" in name else name
    assert left_out(tmp_path).endswith(
        f": hidden and system files and folders: 1 (such as {example})."
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("a.gif", "GIF"), ("a.jfif", "JPEG"), ("a.webp", "WEBP"), ("a", "PNG"), ("a.1", "BMP")),
        *(("a.txt", "GIF"), ("A.JPG", "JPEG"), ("a.tga", "TGA"), ("a.png", "JPEG")),
    ],
)
def test_an_image_is_known_by_its_content(tmp_path: Path, name: str, kind: str) -> None:
    write_picture(tmp_path / name, format=kind)
    assert (names(tmp_path), left_out(tmp_path)) == ([name], "")


@pytest.mark.parametrize(
    "content", [b"", b"x", b"P6", b"P6 is a text", b"#define A 1\n", b"BM", b"\x89PNG\r\n\x1a\n"]
)
def test_a_file_that_only_begins_like_an_image_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes.txt").write_bytes(content)
    assert names(tmp_path) == []
    assert "files that are not images: 1 (such as notes.txt)" in left_out(tmp_path)


def test_postscript_is_no_image_since_another_program_would_draw_it(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.eps", format="EPS")
    assert names(tmp_path) == []


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    write_picture(tmp_path / "elsewhere" / "deep" / "a.png")
    write_picture(tmp_path / "root" / "b.png")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "up").symlink_to("..")
    (tmp_path / "elsewhere" / "deep" / "back").symlink_to(tmp_path / "root")
    (tmp_path / "elsewhere" / "deep" / "here").symlink_to(".")
    assert names(tmp_path / "root") == ["b.png", "link/deep/a.png"]
    assert "links to a folder already visited: 3 (such as " in left_out(tmp_path / "root")


def test_pipes_and_links_to_nothing_are_left_out_unopened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "lost.png").symlink_to("nothing.png")
    (tmp_path / "self").symlink_to("self")
    assert names(tmp_path) == []
    assert "entries that cannot be read as files: 3 (such as " in left_out(tmp_path)


def test_images_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.png", "a.png", "a/b/c.png"):
        write_picture(tmp_path / name)
    assert names(tmp_path) == sorted(names(tmp_path))


def test_a_name_that_is_no_text_is_listed(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    write_picture(tmp_path / name)
    assert names(tmp_path) == [name]


def test_where_images_are_hard_to_find_the_walk_ends_soon(tmp_path: Path) -> None:
    for i in range(40):
        (tmp_path / f"{i}").mkdir()
        for k in range(260):
            (tmp_path / f"{i}" / f"{k}").touch()
    with pytest.raises(DataError, match="only 0 of the first 10,000 files and folders in it are"):
        names(tmp_path)

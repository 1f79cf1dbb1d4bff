from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neptune_nas.data.images import IGNORED
from neptune_nas.data.masks import ClassList, numbered, read_classes, read_mask, size_of_mask
from neptune_nas.data.pixels import ImageFormat
from neptune_nas.errors import DataError, FileFormatError
from tests.data.folders import ids, write_mask

ROAD = ClassList(("sky", "road"), (0, 1), {(1, 2, 3): 0, (128, 64, 128): 1})
FORM = ImageFormat(6, 8, 3)


def listed(tmp_path: Path, text: str) -> ClassList:
    file = tmp_path / "classes.txt"
    file.write_text(text)
    return read_classes(file)


def test_classes_without_colours_have_their_lines_as_ids(tmp_path: Path) -> None:
    found = listed(tmp_path, "# of a road\nsky\n\ntraffic sign\n")
    assert found == ClassList(("sky", "traffic sign"), (0, 1), {})


@pytest.mark.parametrize("text", ["1 2 3 sky\n128 64 128 road", "sky 1 2 3\nroad,128,64,128"])
def test_a_colour_stands_before_or_after_its_class(tmp_path: Path, text: str) -> None:
    assert listed(tmp_path, text) == ROAD


def test_what_is_ignored_is_no_class_but_has_an_id(tmp_path: Path) -> None:
    found = listed(tmp_path, "sky\nVoid\nroad\n")
    assert (found.names, found.places) == (("sky", "road"), (0, IGNORED, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sky\n", r"must name 2 to 255 different classes, one a line, but it names 1\."),
        ("sky\nsky\n", r"different classes, one a line, but 'sky' comes twice\."),
        ("1 2 3 sky\nroad\n", "2 classes must have a colour, or none, but 1 have one"),
        ("1 2 3 sky\n1 2 3 road\n", "a colour of its own, but 1 2 3 comes twice"),
    ],
)
def test_a_list_that_names_no_classes_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        listed(tmp_path, text)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match="is not a text file"):
        read_classes(tmp_path / "classes.txt")


@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_grey_mask_and_one_with_a_palette_hold_ids(tmp_path: Path, mode: str) -> None:
    wanted = ids((8, 6), 3)
    write_mask(tmp_path / "a.png", wanted, mode)
    for classes in (numbered(3), None):
        found = read_mask(tmp_path / "a.png", FORM, classes)
        assert (found.pixels == wanted).all()
        assert found.pixels.dtype == np.uint8
        assert found.strange == 0


def test_ids_beyond_the_classes_are_ignored_and_counted(tmp_path: Path) -> None:
    wanted = ids((8, 6), 3)
    wanted[0, :2], wanted[1, 0] = 11, IGNORED
    write_mask(tmp_path / "a.png", wanted)
    found = read_mask(tmp_path / "a.png", FORM, numbered(3))
    assert (found.strange, found.example) == (2, "id 11")
    assert (found.pixels == np.where(wanted == 11, IGNORED, wanted)).all()


def test_a_mask_in_colour_is_read_by_its_colours(tmp_path: Path) -> None:
    colours = np.array([[1, 2, 3], [128, 64, 128], [9, 9, 9]], np.uint8)
    write_mask(tmp_path / "a.png", colours[ids((8, 6), 3)])
    found = read_mask(tmp_path / "a.png", FORM, ROAD)
    assert (found.pixels == np.array([0, 1, IGNORED])[ids((8, 6), 3)]).all()
    assert (found.strange, found.example) == (16, "colour 9 9 9")


def test_a_grey_mask_of_grey_colours_is_read_by_them(tmp_path: Path) -> None:
    classes = ClassList(("off", "on"), (0, 1), {(0, 0, 0): 0, (255, 255, 255): 1})
    write_mask(tmp_path / "a.png", ids((8, 6), 2) * np.uint8(255))
    assert (read_mask(tmp_path / "a.png", FORM, classes).pixels == ids((8, 6), 2)).all()


@pytest.mark.parametrize("classes", [None, numbered(3)])
def test_a_mask_in_colour_without_colours_is_refused(
    tmp_path: Path, classes: ClassList | None
) -> None:
    write_mask(tmp_path / "a.png", np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(DataError, match="a mask in colour needs to know which colour is which"):
        read_mask(tmp_path / "a.png", FORM, classes)


def test_a_mask_is_scaled_without_classes_in_between(tmp_path: Path) -> None:
    half = np.zeros((60, 80), np.uint8)
    half[:, 40:] = 2
    write_mask(tmp_path / "a.png", half)
    found = read_mask(tmp_path / "a.png", FORM, numbered(3)).pixels
    assert (found == half[:6, ::10]).all()


def test_a_mask_of_a_lossy_format_is_refused(tmp_path: Path) -> None:
    Image.new("L", (8, 6)).save(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="must be kept without loss, such as PNG, but is JPEG"):
        size_of_mask(tmp_path / "a.jpg")


def test_a_mask_of_sixteen_bits_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="must have 8 bits a channel"):
        size_of_mask(tmp_path / "a.png")


def test_a_damaged_mask_is_refused(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", ids((80, 60), 3))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="must be an intact image"):
        read_mask(tmp_path / "a.png", FORM, numbered(3))

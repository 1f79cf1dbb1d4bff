"""The text files of YOLO's format."""

from pathlib import Path

import pytest

from neptune_nas.data.annotations import Annotations, Pictures
from neptune_nas.data.listing import Listing
from neptune_nas.data.yolo import class_names, read_yolo
from neptune_nas.errors import DataError, NeptuneError
from tests.data.folders import write_picture


def read(folder: Path, text: str, names: str | None = "[cat, dog]") -> tuple[Annotations, Listing]:
    write_picture(folder / "images" / "a.png", (8, 6))
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels" / "a.txt").write_text(text)
    yaml = folder / "data.yaml"
    yaml.write_text(f"names: {names}\n")
    listing = Listing(folder)
    pictures = Pictures(folder / "images", tuple(listing.files(folder / "images")))
    files = sorted((folder / "labels").glob("*.txt"))
    known = None if names is None else yaml
    return read_yolo(files, folder / "labels", pictures, listing, known), listing


def test_a_line_is_a_class_and_shares_of_the_image(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "1 0.5 0.5 0.5 1\n\n 0 0.25\t0.25 0.5 0.5 \n")
    (image,) = found.images
    assert image.in_shares
    assert found.classes == ("cat", "dog")
    assert [(each.label, each.box) for each in image.boxes] == [
        ("dog", (0.25, 0, 0.75, 1)),
        ("cat", (0, 0, 0.5, 0.5)),
    ]


def test_an_outline_is_the_box_around_it(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "0 0.1 0.2 0.5 0.1 0.3 0.9")
    assert found.images[0].boxes[0].box == (0.1, 0.1, 0.5, 0.9)


def test_an_image_without_a_file_or_a_line_has_no_objects(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "b.png", (8, 6))
    found, _ = read(tmp_path, "")
    assert [each.boxes for each in found.images] == [(), ()]


def test_a_file_without_its_image_is_counted(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "b.txt").write_text("0 0.5 0.5 1 1")
    _, listing = read(tmp_path, "")
    assert listing.left_out["annotated images that are missing"] == 1


def test_without_names_classes_are_numbers(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "2 0.5 0.5 1 1", names=None)
    assert found.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "2 0.5 0.5 1 1",
            r"the class must be a whole number from 0 to 1, as there are 2, but is '2'",
        ),
        ("-1 0.5 0.5 1 1", "the class must be a whole number from 0 to 1"),
        ("0.5 0.5 0.5 1 1", "the class must be a whole number from 0 to 1"),
        ("cat 0.5 0.5 1 1", "each field must be a number, but is 'cat'"),
        ("0 0.5 0.5 1", "it must have a class and 4 numbers .* but has 4 fields"),
        ("0 0.5 0.5 1 1 0.9", "it must have a class and 4 numbers .* but has 6 fields"),
        ("0 0.5 nan 1 1", "each field must be a number, but is 'nan'"),
        ("1e999 0.5 0.5 1 1", "each field must be a number, but is '1e999'"),
    ],
)
def test_what_is_wrong_in_a_line_is_told_with_its_place(
    tmp_path: Path, line: str, told: str
) -> None:
    with pytest.raises(DataError, match=rf"a\.txt, line 2: {told}"):
        read(tmp_path, f"0 0.5 0.5 1 1\n{line}\n")


def test_names_may_be_a_list_a_mapping_or_lines(tmp_path: Path) -> None:
    file, lines = tmp_path / "data.yaml", tmp_path / "classes.txt"
    for text in ("names:\n- cat\n- 7\n", "names:\n  1: 7\n  0: cat\n"):
        file.write_text(text)
        assert class_names(file) == ("cat", "7")
    lines.write_text("cat\n\n7\n")
    assert class_names(lines) == ("cat", "7")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("names: {0: cat, 2: dog}", "`names` must list the names"),
        ("names: []", "`names` must list the names"),
        ("names: cat", "`names` must list the names"),
        ("train: images", "`names` must list the names"),
        ("names: [cat", "must be YAML, but is not"),
        ("names: !!python/object/apply:os.system [ls]", "must be YAML, but is not"),
        ("[" * 5_000, "must be YAML, but is not"),
    ],
)
def test_other_names_are_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "data.yaml"
    file.write_text(text)
    with pytest.raises(DataError, match=rf"data\.yaml.*{told}"):
        class_names(file)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.yaml"
    file.write_text("#" * (2**20 + 1))
    with pytest.raises(NeptuneError, match=r"data\.yaml"):
        class_names(file)

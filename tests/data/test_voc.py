"""The XML files of Pascal VOC's format."""

from pathlib import Path

import pytest

from neptune_nas.data.annotations import Annotations, Pictures
from neptune_nas.data.listing import Listing
from neptune_nas.data.voc import read_voc
from neptune_nas.errors import DataError, NeptuneError
from tests.data.folders import write_picture

SIZE = "<size><width>8</width><height>6</height></size>"
BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>8</xmax><ymax>5.5</ymax></bndbox>"
CAT = f"<object><name> cat </name><difficult>1</difficult>{BOX}</object>"


def read(folder: Path, text: str, chosen: str | None = None) -> tuple[Annotations, Listing]:
    write_picture(folder / "a.png", (8, 6))
    (folder / "a.xml").write_text(text)
    names = None
    if chosen is not None:
        names = folder / "train.txt"
        names.write_text(chosen)
    listing = Listing(folder, frozenset({".xml", ".txt"}))
    pictures = Pictures(folder, tuple(listing.files(folder)))
    return read_voc([folder / "a.xml"], pictures, listing, names), listing


def test_a_box_from_the_first_pixel_to_the_last_is_the_whole_image(tmp_path: Path) -> None:
    found, _ = read(tmp_path, f"<annotation>{SIZE}{CAT}</annotation>")
    (image,) = found.images
    assert found.classes == ("cat",)
    assert image.size == (6, 8)
    assert [each.box for each in image.boxes] == [(0, 1, 8, 5.5)]


def test_parts_of_an_object_are_no_objects(tmp_path: Path) -> None:
    part = f"<part><name>head</name>{BOX}</part>"
    found, _ = read(
        tmp_path, f"<annotation>{CAT.replace('</object>', part + '</object>')}</annotation>"
    )
    assert [each.label for each in found.images[0].boxes] == ["cat"]


def test_a_size_of_zero_is_none(tmp_path: Path) -> None:
    found, _ = read(tmp_path, f"<annotation>{SIZE.replace('8', '0')}{CAT}</annotation>")
    assert found.images[0].size is None


def test_only_the_images_of_a_list_are_taken(tmp_path: Path) -> None:
    text = f"<annotation>{CAT}</annotation>"
    assert len(read(tmp_path, text, "b 1\n\na -1\n")[0].images) == 1
    assert len(read(tmp_path, text, "b\n")[0].images) == 0


def test_a_file_without_its_image_is_counted(tmp_path: Path) -> None:
    (tmp_path / "b.xml").write_text(f"<annotation>{CAT}</annotation>")
    listing = Listing(tmp_path)
    found = read_voc([tmp_path / "b.xml"], Pictures(tmp_path, ()), listing)
    assert found.images == ()
    assert listing.left_out["annotated images that are missing"] == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must be XML, but is not"),
        ("<annotation>", "must be XML, but is not"),
        ("<html></html>", "must hold an `annotation`, as Pascal VOC's files do, but holds 'html'"),
        (
            '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>',
            "must be plain XML, but declares a document type: remove it",
        ),
        (f"<annotation>{CAT.replace(' cat ', ' ')}</annotation>", "object 1 must have a `name`"),
        (
            f"<annotation>{CAT}{CAT.replace('>8<', '>wide<')}</annotation>",
            "object 2: `xmax` must be a number, but is 'wide'",
        ),
        (
            f"<annotation>{CAT.replace(BOX, '')}</annotation>",
            "`xmin` must be a number, but is None",
        ),
        (
            f"<annotation>{CAT.replace('>8<', '>inf<')}</annotation>",
            "`xmax` must be a number, but is 'inf'",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError, match=rf"a\.xml.*{told}"):
        read(tmp_path, text)


def test_other_bytes_and_huge_files_are_refused(tmp_path: Path) -> None:
    for content in (b"\xff\xfe<annotation/>", b" " * (2**20 + 1)):
        (tmp_path / "a.xml").write_bytes(content)
        write_picture(tmp_path / "a.png")
        pictures = Pictures(tmp_path, (tmp_path / "a.png",))
        with pytest.raises(NeptuneError, match=r"a\.xml"):
            read_voc([tmp_path / "a.xml"], pictures, Listing(tmp_path))

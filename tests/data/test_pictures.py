import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neptune_nas.data.pictures import pictures, pictures_at, read_picture
from neptune_nas.data.pixels import ImageFormat, decode
from neptune_nas.errors import DataError

RNG = np.random.default_rng(0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 10)])
def test_a_picture_becomes_what_one_of_a_folder_becomes(
    photo: Path, shape: tuple[int, int, int]
) -> None:
    channels, height, width = shape
    pixels = read_picture(photo, shape).pixels
    assert (pixels.dtype, tuple(pixels.shape)) == (torch.uint8, shape)
    assert np.array_equal(pixels.numpy(), decode(photo, ImageFormat(height, width, channels)))


def test_a_network_of_other_channels_reads_no_pictures(photo: Path) -> None:
    with pytest.raises(DataError, match=r"of 4 channels cannot read .*photo\.png.*Model\.predict"):
        read_picture(photo, (4, 8, 8))


def test_a_picture_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.png does not exist: correct"):
        read_picture(tmp_path / "nothing.png", (1, 8, 8))


@pytest.mark.parametrize("kept", [0, 10, 60])
def test_a_picture_that_is_cut_off_is_named(photo: Path, kept: int) -> None:
    photo.write_bytes(photo.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"photo\.png must be an intact image"):
        read_picture(photo, (1, 8, 8))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("number.ppm", b"P6 2\x8b 2 255\n" + bytes(12)),
        (
            "size.bmp",
            b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0\xff\xff\xff\x7f\xff\xff\xff\x7f"
            b"\1\0\x18\0" + bytes(24),
        ),
    ],
)
def test_what_a_parser_stumbles_over_is_a_broken_picture(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} must be an intact image"):
        read_picture(tmp_path / name, (1, 8, 8))


def test_odd_metadata_is_no_warning(tmp_path: Path) -> None:
    file = tmp_path / "scan.tiff"
    Image.fromarray(RNG.integers(0, 256, (8, 8), dtype=np.uint8)).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len([*pictures([file], (1, 8, 8), print)]) == 1


def test_a_folders_pictures_come_in_order_with_those_below(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "below/c.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [file.name for file in pictures_at(tmp_path)[0]]
    assert names == ["a.JPG", "b.png", "c.png"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no image \(\.avif, \.bmp"):
        pictures_at(tmp_path)


def test_what_cannot_be_read_does_not_hide_the_rest(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_text("no image")
    paths = [tmp_path / "empty", tmp_path / "broken.png", photo]
    found = [
        (path.name, isinstance(what, DataError)) for path, what in pictures(paths, (1, 8, 8), print)
    ]
    assert found == [("empty", True), ("broken.png", True), ("photo.png", False)]

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neptune_nas.data.folder import load_folder
from neptune_nas.data.load import load_data
from neptune_nas.data.pictures import read_picture
from neptune_nas.data.pixels import ImageFormat, decode, header_of
from neptune_nas.errors import DataError
from tests.data.folders import write_classes

ORIENTATION = 0x0112


def write_turned(file: Path, orientation: int) -> None:
    """Write a picture of a white left half, 32 wide and 16 high, with an orientation in EXIF."""
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:, :16] = 250
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(file, exif=exif, lossless=True)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize(
    ("orientation", "white"),
    [
        (1, (slice(None), slice(16))),
        (3, (slice(None), slice(16, None))),
        (6, (slice(16), slice(None))),
        (8, (slice(16, None), slice(None))),
    ],
)
def test_images_are_turned_upright(
    tmp_path: Path, suffix: str, orientation: int, white: tuple[slice, slice]
) -> None:
    file = tmp_path / f"a.{suffix}"
    write_turned(file, orientation)
    form = header_of(file)
    assert (form.height, form.width) == ((32, 16) if orientation > 4 else (16, 32))
    expected = np.zeros((form.height, form.width), dtype=np.uint8)
    expected[white] = 250
    assert (decode(file, form) == expected).all()


def test_an_orientation_that_there_is_not_turns_nothing(tmp_path: Path) -> None:
    write_turned(tmp_path / "a.jpg", 77)
    assert header_of(tmp_path / "a.jpg") == ImageFormat(16, 32, 3)


def test_training_and_prediction_turn_alike(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(5):
            write_turned(tmp_path / name / f"{i}.jpg", 6)
    trained = load_data(f"folder:{tmp_path}").train.images[0]
    assert (read_picture(tmp_path / "a" / "0.jpg", (3, 32, 16)).pixels == trained).all()


SIXTEEN = (np.arange(6).reshape(2, 3) * 13_107).astype(np.uint16)
EIGHT = [[[0, 51, 102], [153, 204, 255]]]


@pytest.mark.parametrize("suffix", ["png", "pgm", "tif"])
def test_sixteen_bits_a_pixel_are_scaled(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(SIXTEEN).save(file)
    assert header_of(file) == ImageFormat(2, 3, 1)
    assert decode(file, ImageFormat(2, 3, 1)).tolist() == EIGHT


def test_a_pgm_of_ten_bits_is_scaled_by_its_own_white(tmp_path: Path) -> None:
    content = b"P5 3 2 1023\n" + (np.arange(6) * 204.6).astype(">u2").tobytes()
    (tmp_path / "a.pgm").write_bytes(content)
    found = decode(tmp_path / "a.pgm", ImageFormat(2, 3, 1))
    assert np.abs(found - np.array(EIGHT)).max() <= 1


@pytest.mark.parametrize("mode", ["CMYK", "RGBA", "P"])
def test_every_kind_of_colour_becomes_rgb(tmp_path: Path, mode: str) -> None:
    Image.new("RGB", (4, 4), (204, 51, 51)).convert(mode).save(tmp_path / "a.tif")
    assert decode(tmp_path / "a.tif", ImageFormat(1, 1, 3)).flatten().tolist() == [204, 51, 51]


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), shade) for shade in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert decode(tmp_path / "a.gif", ImageFormat(1, 1, 1)).item() == 10


@pytest.mark.parametrize(
    ("suffix", "options"), [("png", {}), ("tif", {"compression": "group4"}), ("bmp", {})]
)
def test_an_image_beyond_all_memory_is_called_large_and_not_broken(
    tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    file = tmp_path / f"map.{suffix}"
    Image.new("1", (20_000, 10_000)).save(file, **options)
    with pytest.raises(
        DataError, match=r"map\.\w+ must have .*, but has 200,000,000: scale it down"
    ):
        header_of(file)


def test_a_photograph_beyond_all_memory_is_scaled_while_it_is_read(tmp_path: Path) -> None:
    image = Image.new("L", (20_000, 10_000))
    image.paste(200, (0, 0, 10_000, 10_000))
    image.save(tmp_path / "a.jpg")
    found = decode(tmp_path / "a.jpg", ImageFormat(8, 16, 1))
    assert (found[:, :, :7] == 200).all()
    assert (found[:, :, 9:] == 0).all()
    image.save(tmp_path / "a.jpg", progressive=True)
    with pytest.raises(DataError, match="pixels, to bound the memory, but has 200,000,000"):
        header_of(tmp_path / "a.jpg")


def test_several_large_images_are_named_at_once(tmp_path: Path) -> None:
    write_classes(tmp_path)
    for name in ("x", "y"):
        Image.new("1", (20_000, 10_000)).save(tmp_path / "cat" / f"{name}.png")
    with pytest.raises(DataError, match=r"2 files must be .* at most 178,956,970 pixels, .*shrink"):
        load_data(f"folder:{tmp_path}")


def test_a_file_that_vanishes_after_the_listing_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets")
    for cache in (None, tmp_path / "cache"):
        write_classes(tmp_path / "pets")
        source = load_folder(str(tmp_path / "pets"), cache)
        (tmp_path / "pets" / "cat" / "000.png").unlink()
        with pytest.raises(DataError, match=r"cat/000\.png must stay readable.*No such file"):
            source.train.take(np.arange(20))

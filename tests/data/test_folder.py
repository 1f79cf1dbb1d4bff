import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from neptune_nas.data.folder import parse, room_for
from neptune_nas.data.load import load_data
from neptune_nas.data.pixels import ImageFormat
from neptune_nas.errors import DataError

BLUE, RED = (0, 0, 200), (250, 0, 0)


def write(file: Path, color: tuple[int, ...] | int, size: tuple[int, int] = (10, 8)) -> None:
    """Return a PNG of one color; `size` is width and height."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(color, int) else "RGB", size, color).save(file)


def write_classes(folder: Path, count: int = 20) -> None:
    for i in range(count):
        write(folder / "blue" / f"{i:02}.png", BLUE)
        write(folder / "red" / f"{i:02}.png", RED)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    write_classes(tmp_path / "pictures")
    return tmp_path / "pictures"


def test_a_folder_of_classes_is_split_sixty_twenty_twenty(pictures: Path) -> None:
    data = load_data(f"folder:{pictures}")
    assert [len(s) for s in (data.train, data.validation, data.test)] == [24, 8, 8]


def test_train_and_test_folders_give_a_tenth_of_train_to_validation(tmp_path: Path) -> None:
    write_classes(tmp_path / "train")
    write_classes(tmp_path / "test", count=3)
    data = load_data(f"folder:{tmp_path}")
    assert [len(s) for s in (data.train, data.validation, data.test)] == [36, 4, 6]


def test_an_image_keeps_its_pixels_and_the_label_of_its_folder(pictures: Path) -> None:
    data = load_data(f"folder:{pictures}")
    colors = [data.classes[label] for label in data.train.targets]
    expected = torch.tensor([BLUE if color == "blue" else RED for color in colors]).byte()
    assert torch.equal(data.train.images, expected[:, :, None, None].expand(24, 3, 8, 10))


def test_gray_images_stay_gray(tmp_path: Path) -> None:
    for i in range(10):
        write(tmp_path / "dark" / f"{i}.png", 3)
        write(tmp_path / "light" / f"{i}.png", 250)
    assert load_data(f"folder:{tmp_path}").input_shape == (1, 8, 10)


@pytest.mark.parametrize("mode", ["LA", "P"])
def test_gray_with_transparency_or_in_a_palette_is_gray(tmp_path: Path, mode: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.new("L", (10, 8), 90).convert(mode).save(tmp_path / name / f"{i}.png")
    images = load_data(f"folder:{tmp_path}").train.images
    assert images.shape[1:] == (1, 8, 10)
    assert bool((images == 90).all())


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp"])
def test_a_palette_of_colors_is_color(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.new("RGB", (10, 8), RED).quantize(4).save(tmp_path / name / f"{i}.{suffix}")
    assert load_data(f"folder:{tmp_path}").input_shape == (3, 8, 10)


def test_one_color_image_makes_all_of_them_color(pictures: Path) -> None:
    write(pictures / "red" / "gray.png", 9)
    assert load_data(f"folder:{pictures}").input_shape == (3, 8, 10)


def test_images_of_mixed_sizes_become_squares_of_64_pixels(pictures: Path) -> None:
    write(pictures / "red" / "large.png", RED, size=(90, 70))
    assert load_data(f"folder:{pictures}").input_shape == (3, 64, 64)


def test_a_size_behind_an_at_sign_is_that_of_every_image(pictures: Path) -> None:
    assert load_data(f"folder:{pictures}@6").input_shape == (3, 6, 6)


def test_an_image_is_cut_to_its_middle_square(tmp_path: Path) -> None:
    pixels = np.zeros((8, 24), dtype=np.uint8)
    pixels[:, 8:16] = 200
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    assert (load_data(f"folder:{tmp_path}@8").train.images == 200).all()


def test_an_at_sign_without_a_number_belongs_to_the_path() -> None:
    assert parse("a@b/c") == (Path("a@b/c"), None)
    assert parse("a@b/c@32") == (Path("a@b/c"), 32)


@pytest.mark.parametrize(
    ("name", "exists", "images", "side"),
    [
        ("shots@64", "shots@64", 12, 8),
        ("shots@64", "", 12, 64),
        ("shots#9", "shots#9", 12, 8),
        ("shots#9", "", 9, 8),
        ("shots@64#9", "shots@64#9", 12, 8),
        ("shots@64#9", "shots@64", 9, 8),
        ("shots@64#9", "", 9, 64),
        ("shots@64@32", "shots@64", 12, 32),
        ("a: b@4", "a: b@4", 12, 8),
    ],
)
def test_a_path_that_exists_is_that_path(
    tmp_path: Path, name: str, exists: str, images: int, side: int
) -> None:
    write_classes(tmp_path / (exists or "shots"), count=10)
    for part in ("blue", "red"):
        for file in (tmp_path / (exists or "shots") / part).iterdir():
            Image.new("RGB", (8, 8), BLUE).save(file)
    if exists:  # a sibling that would be found by the marker
        write_classes(tmp_path / "shots", count=3)
    data = load_data(f"folder:{tmp_path / name}")
    assert (len(data.train), data.input_shape[1]) == (images, side)


@pytest.mark.parametrize("cached", [False, True])
def test_names_that_are_no_text_are_classes_and_files_like_others(
    tmp_path: Path, cached: bool
) -> None:
    name = os.fsdecode(b"caf\xe9")
    for i in range(10):
        write(tmp_path / "pictures" / name / f"{name}{i}.png", BLUE)
        write(tmp_path / "pictures" / "red" / f"{i}.png", RED)
    data = load_data(f"folder:{tmp_path / 'pictures'}", tmp_path / name if cached else None)
    assert data.classes == (r"caf\udce9", "red")
    assert (data.train.images[data.train.targets == 0][:, 2] == BLUE[2]).all()


def test_decoded_images_come_back_from_the_cache(pictures: Path, tmp_path: Path) -> None:
    first = load_data(f"folder:{pictures}", tmp_path / "cache")
    for file in (pictures / "red").iterdir():  # as long and as old as before, but no images
        status = file.stat()
        file.write_bytes(b"x" * status.st_size)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert load_data(f"folder:{pictures}", tmp_path / "cache").fingerprint == first.fingerprint


def test_a_changed_image_is_decoded_anew(pictures: Path, tmp_path: Path) -> None:
    first = load_data(f"folder:{pictures}", tmp_path / "cache")
    write(pictures / "red" / "00.png", (9, 9, 9))
    assert load_data(f"folder:{pictures}", tmp_path / "cache").fingerprint != first.fingerprint


def test_a_part_is_decoded_anew_where_the_other_gets_color(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for i in range(10):
            write(tmp_path / part / "dark" / f"{i}.png", 3)
            write(tmp_path / part / "light" / f"{i}.png", 250)
    load_data(f"folder:{tmp_path}", tmp_path / "cache")
    write(tmp_path / "test" / "light" / "red.png", RED)
    data = load_data(f"folder:{tmp_path}", tmp_path / "cache")
    assert data.train.images.shape[1] == data.test.images.shape[1] == 3


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing must be a folder, but does not exist"):
        load_data(f"folder:{tmp_path / 'nothing'}")


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs at least two folders of images, one per class"):
        load_data(f"folder:{tmp_path}")


def test_an_empty_class_is_refused_by_name(pictures: Path) -> None:
    (pictures / "green").mkdir()
    with pytest.raises(DataError, match="the class 'green' has no image"):
        load_data(f"folder:{pictures}")


def test_classes_that_only_one_part_has_are_refused_by_name(tmp_path: Path) -> None:
    write_classes(tmp_path / "train")
    write_classes(tmp_path / "test")
    write(tmp_path / "test" / "green" / "0.png", (0, 9, 0))
    with pytest.raises(DataError, match="same classes, but only one of them has green"):
        load_data(f"folder:{tmp_path}")


@pytest.mark.parametrize("content", [b"no image", b""])
def test_a_file_that_is_no_image_is_refused_by_name(pictures: Path, content: bytes) -> None:
    (pictures / "red" / "odd.png").write_bytes(content)
    with pytest.raises(DataError, match=r"odd\.png must be an intact image"):
        load_data(f"folder:{pictures}")


def test_a_truncated_image_is_refused_by_name(pictures: Path) -> None:
    file = pictures / "red" / "00.png"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"00\.png must be an intact image"):
        load_data(f"folder:{pictures}")


@pytest.mark.parametrize(
    ("count", "named"),
    [(2, r"pictures/blue/01\.png\.$"), (12, r"pictures/blue/09\.png and 2 more\.$")],
)
def test_several_broken_images_are_named_at_once(pictures: Path, count: int, named: str) -> None:
    for i in range(count):
        (pictures / "blue" / f"{i:02}.png").write_bytes(b"no image")
    with pytest.raises(
        DataError, match=rf"data: {count} files must .* convert \S*00\.png, .*{named}"
    ):
        load_data(f"folder:{pictures}")


def test_broken_images_are_named_of_both_parts_and_of_all_kinds(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_classes(tmp_path / part)
    (tmp_path / "train" / "red" / "odd.png").write_bytes(b"no image")
    Image.fromarray(np.ones((8, 10), dtype=np.float32)).save(tmp_path / "test" / "red" / "odd.tif")
    with pytest.raises(DataError, match=r"convert \S*train/red/odd\.png, \S*test/red/odd\.tif\."):
        load_data(f"folder:{tmp_path}")


def test_images_that_cannot_all_be_decoded_leave_nothing_in_the_cache(
    pictures: Path, tmp_path: Path
) -> None:
    file = pictures / "red" / "00.png"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"00\.png must be an intact image"):
        load_data(f"folder:{pictures}", tmp_path / "cache")
    assert not [entry for entry in (tmp_path / "cache").rglob("*") if entry.is_file()]


def write_pixels(folder: Path, suffix: str, pixels: NDArray[Any]) -> None:
    """Ten images of the same pixels in each of two classes."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        for i in range(10):
            Image.fromarray(pixels).save(folder / name / f"{i}{suffix}")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_of_sixteen_bits_a_pixel_the_upper_eight_are_kept(tmp_path: Path, suffix: str) -> None:
    pixels = np.array([[0, 255, 256], [1000, 40_000, 65_535]], dtype=np.uint16)
    write_pixels(tmp_path, suffix, pixels)
    data = load_data(f"folder:{tmp_path}")
    assert data.train.images[0].tolist() == [[[0, 0, 1], [3, 156, 255]]]


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_an_image_of_numbers_without_a_range_is_refused_by_name(tmp_path: Path, kind: Any) -> None:
    write_pixels(tmp_path, ".tif", np.full((2, 3), 40_000, dtype=np.uint16))
    Image.fromarray(np.full((2, 3), 40_000, dtype=kind)).save(tmp_path / "b" / "odd.tif")
    with pytest.raises(
        DataError,
        match=r"odd\.tif must have 8 or 16 bits per channel, but its values have no fixed range",
    ):
        load_data(f"folder:{tmp_path}")


@pytest.mark.parametrize("size", ["0", "4097", "100000"])
def test_a_size_that_no_image_should_have_is_refused(pictures: Path, size: str) -> None:
    with pytest.raises(DataError, match=f"must be 1 to 4096 pixels, but got {size}"):
        load_data(f"folder:{pictures}@{size}")


@pytest.mark.parametrize("text", ["", "@32"])
def test_an_empty_path_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="needs the path of a folder"):
        load_data(f"folder:{text}")


def test_images_that_exceed_the_memory_are_refused() -> None:
    with pytest.raises(DataError, match="4096x4096 pixels must fit into memory"):
        room_for(10**9, ImageFormat(4096, 4096, 3))

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from neptune_nas.data.image_file import ImageFile
from neptune_nas.errors import DataError

SHAPE = (3, 4, 5)


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (7, *SHAPE), generator=generator).byte()


@pytest.fixture
def file(images: Tensor, tmp_path: Path) -> ImageFile:
    np.save(tmp_path / "images.npy", images.numpy())
    return ImageFile(tmp_path / "images.npy")


def read(file: ImageFile, *rows: int) -> Tensor:
    found = torch.empty((len(rows), *SHAPE), dtype=torch.uint8)
    file.read(torch.tensor(rows), found)
    return found


def test_mapped_images_are_those_in_the_file(file: ImageFile, images: Tensor) -> None:
    assert torch.equal(file.mapped(), images)


def test_writing_to_mapped_images_leaves_the_file_as_it_is(file: ImageFile, images: Tensor) -> None:
    file.mapped().zero_()
    assert torch.equal(file.mapped(), images)


def test_rows_are_read_in_the_order_asked_for(file: ImageFile, images: Tensor) -> None:
    assert torch.equal(read(file, 6, 0, 3, 3), images[[6, 0, 3, 3]])


def test_a_file_that_is_gone_is_named_with_the_remedy(file: ImageFile) -> None:
    file.path.unlink()
    with pytest.raises(DataError, match=r"images\.npy cannot be read.* remove the file"):
        read(file, 0)


def test_a_file_that_lost_its_end_is_refused(file: ImageFile) -> None:
    with file.path.open("r+b") as stream:
        stream.truncate(file.path.stat().st_size - 1)
    with pytest.raises(DataError, match=r"images\.npy cannot be read"):
        read(file, 6)
    with pytest.raises(DataError, match=r"images\.npy cannot be read"):
        file.mapped()


@pytest.mark.parametrize("content", [b"no array", b""])
def test_what_is_no_array_is_refused(file: ImageFile, content: bytes) -> None:
    file.path.write_bytes(content)
    with pytest.raises(DataError, match=r"images\.npy cannot be read"):
        file.mapped()


def test_a_row_behind_the_last_is_refused(file: ImageFile) -> None:
    with pytest.raises(DataError, match="image 7 is incomplete"):
        read(file, 7)

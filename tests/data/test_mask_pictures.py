import numpy as np
import torch

from neptune_nas.data.mask_pictures import (
    colour_of,
    mask_picture,
    overlay,
    picture_of,
    side_by_side,
)

MASK = torch.tensor([[0, 1, 2], [3, 4, 255]], dtype=torch.uint8)


def test_a_picture_of_a_mask_has_the_classes_as_its_numbers() -> None:
    picture = mask_picture(MASK)
    assert picture.mode == "P"
    assert (np.asarray(picture) == MASK.numpy()).all()
    assert picture.convert("RGB").getpixel((1, 0)) == colour_of(1)


def test_no_two_classes_have_the_same_colour() -> None:
    assert len({colour_of(place) for place in range(256)}) == 256


def test_an_overlay_is_half_image_and_half_colours() -> None:
    image = torch.full((1, 2, 3), 100, dtype=torch.uint8)
    found = overlay(image, MASK)
    assert found.size == (3, 2)
    assert found.getpixel((1, 0)) == (114, 50, 50)


def test_an_image_stands_beside_itself_under_each_mask() -> None:
    image = torch.full((3, 2, 3), 100, dtype=torch.uint8)
    found = side_by_side(picture_of(image), overlay(image, MASK), overlay(image, MASK))
    assert found.size == (3 * 3 + 2, 2)
    assert found.getpixel((0, 0)) == (100, 100, 100)
    assert found.getpixel((5, 0)) == found.getpixel((9, 0)) == (114, 50, 50)

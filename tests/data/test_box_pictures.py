import torch
from PIL import Image

from neptune_nas.data.box_pictures import box_picture
from neptune_nas.data.images import NO_BOX
from neptune_nas.data.mask_pictures import colour_of

LABELS = ("cat", "dog")


def drawn(side: int, *boxes: tuple[float, ...]) -> Image.Image:
    """Return a grey image of a side with boxes."""
    return box_picture(
        torch.full((1, side, side), 9, dtype=torch.uint8), torch.tensor(boxes), LABELS
    )


def test_a_box_has_the_colour_of_its_class_on_each_of_its_sides() -> None:
    found = drawn(480, (100, 200, 300, 400, 1))
    for place in ((200, 200), (200, 399), (100, 300), (299, 300)):
        assert found.getpixel(place) == colour_of(2)
    for place in ((200, 300), (99, 300), (301, 300), (200, 401)):
        assert found.getpixel(place) == (9, 9, 9)


def test_small_images_are_enlarged_with_their_boxes() -> None:
    found = drawn(48, (10, 20, 30, 40, 0))
    assert found.size == (480, 480)
    assert found.getpixel((200, 200)) == colour_of(1)
    assert found.getpixel((299, 300)) == colour_of(1)


def test_a_label_stands_above_its_box_or_in_it_at_the_edge() -> None:
    above = drawn(480, (100, 200, 300, 400, 1, 0.5))
    assert colour_of(2) in {above.getpixel((110 + i, 190)) for i in range(20)}
    inside = drawn(480, (100, 0, 300, 400, 1, 0.5))
    assert colour_of(2) in {inside.getpixel((110 + i, 10)) for i in range(20)}


def test_what_is_no_box_and_what_reaches_beyond_the_image_are_no_trouble() -> None:
    plain = drawn(480, (NO_BOX,) * 6)
    assert plain.getcolors() == [(480 * 480, (9, 9, 9))]
    assert drawn(480, (-50, -50, 900, 900, 0, 0.9)).size == (480, 480)

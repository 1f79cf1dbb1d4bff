"""Pictures of masks: with a palette that gives each class its colour, and laid over an image."""

from PIL import Image
from torch import Tensor

from neptune_nas.data.images import LEVELS

_BITS = 8  # of a channel


def colour_of(place: int) -> tuple[int, int, int]:
    """Return the colour of a class by its place, as PASCAL VOC has them.

    >>> colour_of(0), colour_of(1), colour_of(15)
    ((0, 0, 0), (128, 0, 0), (192, 128, 128))
    """
    levels = [0, 0, 0]
    for bit in range(_BITS):
        for channel in range(3):
            levels[channel] |= (place >> channel & 1) << (_BITS - 1 - bit)
        place >>= 3
    red, green, blue = levels
    return red, green, blue


_PALETTE = [level for place in range(LEVELS) for level in colour_of(place)]


def mask_picture(mask: Tensor) -> Image.Image:
    """Return a mask `(H, W)` of uint8 as a picture with a palette, whose numbers are classes."""
    picture = Image.fromarray(mask.cpu().contiguous().numpy())
    picture.putpalette(_PALETTE)
    return picture


def picture_of(pixels: Tensor) -> Image.Image:
    """Return uint8 pixels `(C, H, W)` as a picture: grey, unless there are three channels."""
    array = pixels.contiguous().numpy()
    return Image.fromarray(array.transpose(1, 2, 0) if len(array) == 3 else array[0])


def overlay(pixels: Tensor, mask: Tensor) -> Image.Image:
    """Return an image `(C, H, W)` of uint8, half covered by the colours of its mask."""
    return Image.blend(picture_of(pixels).convert("RGB"), mask_picture(mask).convert("RGB"), 0.5)


def side_by_side(*pictures: Image.Image) -> Image.Image:
    """Return pictures of one size as one, from left to right."""
    parts = [each.convert("RGB") for each in pictures]
    width, height = parts[0].size
    whole = Image.new("RGB", (len(parts) * (width + 1) - 1, height), "white")
    for i, part in enumerate(parts):
        whole.paste(part, (i * (width + 1), 0))
    return whole

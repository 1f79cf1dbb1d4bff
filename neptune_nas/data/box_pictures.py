"""Pictures of boxes: drawn over an image in the colours of their classes, with their labels."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from neptune_nas.data.images import NO_BOX
from neptune_nas.data.mask_pictures import colour_of, picture_of

_LEAST = 480  # pixels of the longer side of a picture, so that labels can be read
_LINE, _LETTERS = 160, 24  # of these in the longer side of a picture
_DARK = 384  # sum of red, green and blue, up to which a colour needs white letters


def box_picture(pixels: Tensor, boxes: Tensor, labels: Sequence[str]) -> Image.Image:
    """Return an image `(C, H, W)` of uint8 with boxes `(K, 5 or more)` as RGB, small ones enlarged.

    A box is left, top, right and bottom in pixels, a class, and its probability if it has one; rows
    of `NO_BOX` are none.
    """
    picture = picture_of(pixels).convert("RGB")
    scale = max(1, -(-_LEAST // max(picture.size)))
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), 0)
    line, letters = (max(picture.size) // each for each in (_LINE, _LETTERS))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(letters)
    for left, top, right, bottom, label, *probability in boxes.tolist():
        if label == NO_BOX:
            continue
        colour = colour_of(int(label) + 1)  # 0 is black
        left, top, right, bottom = (scale * each for each in (left, top, right, bottom))
        box = (left, top, max(right - 1, left), max(bottom - 1, top))
        draw.rectangle(box, outline=colour, width=line)
        words = [labels[int(label)], *(f"{each:.2f}" for each in probability)]
        place = (max(left, 0), max(top - letters - line, 0))
        draw.rectangle(draw.textbbox(place, " ".join(words), font), fill=colour)
        ink = "white" if sum(colour) <= _DARK else "black"
        draw.text(place, " ".join(words), ink, font)
    return picture

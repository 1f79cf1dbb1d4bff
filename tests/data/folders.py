"""Folders of small pictures of noise, no two of them alike."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_SEEDS = count()


def write_picture(file: Path, size: tuple[int, int] = (8, 8), **options: Any) -> None:
    """Write a picture unlike all others; `size`: width and height. `options`: those of PIL."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(_SEEDS)).integers(256, size=(*size[::-1], 3))
    Image.fromarray(pixels.astype(np.uint8)).save(file, **options)


def write_classes(folder: Path, images: int = 10, classes: Iterable[str] = ("cat", "dog")) -> None:
    """Write so many pictures of each class."""
    for name in classes:
        for i in range(images):
            write_picture(folder / name / f"{i:03}.png")

"""Folders of small pictures of noise, no two of them alike."""

import json
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


def write_masked(
    folder: Path, names: Iterable[str], size: tuple[int, int] = (8, 6), classes: int = 3
) -> None:
    """Write so many pictures into `images`, and into `masks` beside it ids of each class."""
    for name in names:
        write_picture(folder / "images" / f"{name}.jpg", size)
        write_mask(folder / "masks" / f"{name}.png", ids(size, classes))


def write_boxed(
    folder: Path, size: tuple[int, int] = (16, 12), images: int = 10, classes: int = 2
) -> None:
    """Write so many pictures, and beside them COCO's file of two boxes in each."""
    sides, records = (*size,), []
    for i in range(images):
        write_picture(folder / f"{i:02}.png", sides)
        for j in range(2):
            box = [j * size[0] // 2, 1, size[0] // 2 - 1, size[1] - 2]
            records.append(
                {"id": 2 * i + j, "image_id": i, "category_id": (i + j) % classes, "bbox": box}
            )
    content = {
        "images": [
            {"id": i, "file_name": f"{i:02}.png", "width": size[0], "height": size[1]}
            for i in range(images)
        ],
        "annotations": records,
        "categories": [{"id": i, "name": f"kind {i}"} for i in range(classes)],
    }
    (folder / "annotations.json").write_text(json.dumps(content))


def ids(size: tuple[int, int], classes: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a mask `(H, W)` in which pixel after pixel is of the next class."""
    return (np.arange(size[0] * size[1]) % classes).astype(np.uint8).reshape(size[::-1])


def write_mask(file: Path, pixels: np.ndarray[Any, np.dtype[np.uint8]], mode: str = "L") -> None:
    """Write pixels as a grey mask, one with a palette ("P") or in colour ("RGB")."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if mode == "P":
        image.putpalette([value for i in range(256) for value in (255 - i, i, 7)])
    image.save(file)

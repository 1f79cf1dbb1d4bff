"""Made-up scenes for segmentation and detection: scikit-learn's digits on a grey canvas.

Each pixel is background or one of the ten digits, and each digit has a box. Everything is drawn
from a fixed seed, in whole numbers, so that the scenes are the same on every machine. The digits of
one split are in no other.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from neptune_nas.data.digits import load_digits
from neptune_nas.data.images import padded
from neptune_nas.data.names import BOXES, SCENES
from neptune_nas.data.source import Part, Source, in_memory
from neptune_nas.data.splitting import THREE_WAY, stratified

_COUNTS = (600, 200, 200)  # training, validation and test
_SIDE = 48  # pixels of a canvas
_DIGITS = (1, 4)  # in a scene
_SIZES = (14, 24)  # pixels a side of a digit
_CELL = 6  # pixels of the background that have one level
_BASE, _FAINT, _GRAIN = (10, 60), 24, 10  # levels of the background: all, a cell, a pixel
_INK = (130, 255)  # level of a digit
_STROKE = 72  # of 240: where a digit's pixels belong to it
_TRIES = 20  # places to try for a digit, before it is left out
_ONE = 256  # the unit of the weights of an interpolation


Scene = tuple[NDArray[np.uint8], NDArray[np.uint8], list[Sequence[float]]]
"""A scene `(H, W)`, its mask, and the box of each digit: left, top, right, bottom and class."""


def load_scenes() -> Source:
    """Return the scenes with their masks; flips would change a digit's meaning."""
    whole = load_digits()
    train, validation, test = (
        in_memory(images, masks) for images, masks, _ in _splits(whole.train)
    )
    return Source(
        name=SCENES,
        classes=("background", *whole.classes),
        train=train,
        validation=validation,
        test=test,
        crop=4,
        task="segmentation",
    )


def load_boxes() -> Source:
    """Return the same scenes with the boxes of their digits."""
    whole = load_digits()
    train, validation, test = (
        in_memory(images, padded(boxes, _DIGITS[1])) for images, _, boxes in _splits(whole.train)
    )
    return Source(
        name=BOXES,
        classes=whole.classes,
        train=train,
        validation=validation,
        test=test,
        crop=4,
        task="detection",
    )


def _splits(
    digits: Part,
) -> Iterator[tuple[torch.Tensor, torch.Tensor, list[list[Sequence[float]]]]]:
    """Yield the scenes `(N, 1, H, W)` of each split, their masks, and the boxes of each."""
    rows = stratified(digits.targets, THREE_WAY, 0)
    for seed, (which, count) in enumerate(zip(rows, _COUNTS, strict=True)):
        scenes, masks, boxes = zip(*_scenes(digits, which, count, seed), strict=True)
        images = torch.from_numpy(np.stack(scenes)[:, None])
        yield images, torch.from_numpy(np.stack(masks)), [*boxes]


def _scenes(digits: Part, rows: NDArray[np.int64], count: int, seed: int) -> Iterator[Scene]:
    """Yield so many scenes of the digits in `rows`."""
    random = np.random.RandomState(seed)  # its stream is frozen; `default_rng` may change
    images, labels = digits.take(rows), digits.targets[torch.from_numpy(rows)].numpy()
    assert isinstance(images, torch.Tensor)
    pictures = images[:, 0].numpy().astype(np.int64)
    for _ in range(count):
        yield _scene(pictures, labels, random)


def _scene(
    pictures: NDArray[np.int64], labels: NDArray[np.int64], random: np.random.RandomState
) -> Scene:
    """Return one scene with its mask and its boxes."""
    canvas, boxes = _background(random), list[Sequence[float]]()
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    for which, size, (top, left) in _places(len(pictures), random):
        digit = resized(pictures[which], size)
        window = slice(top, top + size), slice(left, left + size)
        ink = int(random.randint(*_INK))
        canvas[window] = (canvas[window] * (240 - digit) + ink * digit) // 240
        stroke = digit >= _STROKE
        mask[window][stroke] = labels[which] + 1
        rows, columns = (np.flatnonzero(stroke.any(axis)) for axis in (1, 0))
        boxes.append(
            (
                left + columns[0],
                top + rows[0],
                left + columns[-1] + 1,
                top + rows[-1] + 1,
                labels[which],
            )
        )
    return canvas.astype(np.uint8), mask, boxes


def _background(random: np.random.RandomState) -> NDArray[np.int64]:
    """Return a canvas with a faint texture."""
    cells = random.randint(_FAINT, size=(_SIDE // _CELL, _SIDE // _CELL))
    coarse = np.kron(cells, np.ones((_CELL, _CELL), np.int64))
    return coarse + random.randint(_GRAIN, size=(_SIDE, _SIDE)) + random.randint(*_BASE)


def _places(
    digits: int, random: np.random.RandomState
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Yield the digits of a scene: which, how large, and where; none covers another."""
    taken: list[tuple[int, int, int]] = []
    for _ in range(random.randint(_DIGITS[0], _DIGITS[1] + 1)):
        which, size = int(random.randint(digits)), int(random.randint(_SIZES[0], _SIZES[1] + 1))
        for _ in range(_TRIES):
            top, left = map(int, random.randint(_SIDE - size + 1, size=2))
            if all(
                top >= y + other or y >= top + size or left >= x + other or x >= left + size
                for y, x, other in taken
            ):
                taken.append((top, left, size))
                yield which, size, (top, left)
                break


def resized(picture: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return a square picture scaled bilinearly to `size` pixels a side, in whole numbers."""
    side = len(picture)
    centres = np.clip(((2 * np.arange(size) + 1) * side * _ONE // size - _ONE) // 2, 0, None)
    first = np.minimum(centres // _ONE, side - 1)
    second, weight = np.minimum(first + 1, side - 1), centres - first * _ONE
    rows = picture[first] * (_ONE - weight)[:, None] + picture[second] * weight[:, None]
    both: NDArray[np.int64] = rows[:, first] * (_ONE - weight) + rows[:, second] * weight
    return both // _ONE**2

"""Warnings about flaws of a data set that make its scores less meaningful."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from neptune_nas.data.images import CHUNK, ImageData, Split, pixels_by_class
from neptune_nas.data.load import split_files
from neptune_nas.text import counted, plural

_UNEQUAL = 10  # times as many images in one class as in another
_FEW = 20  # images of which each is more than a twentieth of the accuracy


def notes_on(data: ImageData, data_dir: str | Path | None) -> Iterator[str]:
    """Yield sentences on files left out, copies across splits, uneven classes and few images.

    All images are read; if a folder has copies, it is listed again to name an example.
    """
    yield from data.notes
    yield from _copy_notes(data, data_dir)
    splits = {"training": data.train, "validation": data.validation, "test": data.test}
    counts = {name: _counts(split, data.classes) for name, split in splits.items()}
    for name, count in counts.items():
        yield from _gap_notes(name, count, counts["training"], data.classes)
    if data.train.targets.ndim > 1:  # of which shares of images say nothing
        return
    yield from _balance_notes(counts, data.classes)
    yield from _size_notes(len(data.validation.targets))


def _counts(split: Split, classes: Sequence[str]) -> Tensor:
    """Return how many images of each class there are, or that show each class."""
    if split.has_boxes:
        labels = split.targets[..., -1].long()
        return torch.stack([labels.eq(place).any(1).sum() for place in range(len(classes))])
    if split.has_masks:
        return pixels_by_class(split.targets, len(classes)).count_nonzero(0)
    return split.targets.bincount(minlength=len(classes))


def _gap_notes(
    split: str, counts: Tensor, training: Tensor, classes: Sequence[str]
) -> Iterator[str]:
    """Yield how many classes a split lacks, if any."""
    missing = counts.eq(0).nonzero().flatten().tolist()
    if missing:
        example = classes[missing[0]]
        have = counted(int(training[missing[0]]), "training image")
        what = "it cannot be learned" if split == "training" else "it is not measured"
        yield (
            f"{len(missing):,} of {counted(len(classes), 'class', 'classes')} "
            f"{plural(len(missing), 'has', 'have')} no {split} image, such as '{example}' "
            f"({have}): {what}."
        )


def _balance_notes(counts: Mapping[str, Tensor], classes: Sequence[str]) -> Iterator[str]:
    """Yield the sizes of the largest and the smallest class, if they differ much."""
    total = torch.stack([*counts.values()]).sum(0)
    most, least = int(total.argmax()), int(total.argmin())
    if total[most] < _UNEQUAL * total[least]:
        return
    shares = (f"{_majority(counts[name]):.4f} of {name}" for name in ("validation", "test"))
    yield (
        f"The classes are unequal: '{classes[most]}' has {counted(int(total[most]), 'image')}, "
        f"'{classes[least]}' {int(total[least]):,}. Always predicting the most frequent class is "
        f"right for {' and '.join(shares)} images; that counts as chance."
    )


def _size_notes(images: int) -> Iterator[str]:
    """Yield the step of the accuracy on a validation split of so many images, if it is large."""
    if 0 < images < _FEW:
        yield (
            f"The validation split has {counted(images, 'image')}, so accuracy changes in steps of "
            f"{1 / images:.0%}, and says little about which network is better: use 100 images or "
            f"more for steps of at most 1%."
        )


def _majority(counts: Tensor) -> float:
    return float(counts.max() / counts.sum())


def _copy_notes(data: ImageData, data_dir: str | Path | None) -> Iterator[str]:
    """Yield how many images of one split equal an image of an earlier one, if any."""
    copies = [*_copies([data.train, data.validation, data.test])]
    if copies:
        files = split_files(data.name, data_dir)
        pair = [files[split][row] for split, row in copies[0]] if files else []
        example = " (such as {} and {})".format(*pair) if pair else ""
        yield (
            f"{counted(len(copies), 'validation or test image')} "
            f"{plural(len(copies), 'is', 'are')} identical to one of another split{example}: a "
            f"network may have memorised {plural(len(copies), 'its', 'their')} class."
        )


Place = tuple[int, int]
"""The number of a split, and a row in it."""


def _copies(splits: Sequence[Split]) -> Iterator[tuple[Place, Place]]:
    """Yield the place of each image that equals one of an earlier split, and that one's place."""
    first: dict[bytes, Place] = {}
    for number, split in enumerate(splits):
        rows = chain.from_iterable(
            chunk.contiguous().numpy() for chunk in torch.split(split.images, CHUNK)
        )
        for row, image in enumerate(rows):
            place = (number, row)
            other = first.setdefault(blake2b(image, digest_size=16).digest(), place)
            if other[0] != number:
                yield place, other

"""The records of a data set: images as uint8 tensors, splits, and the fingerprint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from neptune_nas.data.image_file import ImageFile
from neptune_nas.data.source import Source
from neptune_nas.errors import DataError

FINGERPRINT_DIGITS = 16
LEVELS = 256  # of an 8-bit channel
CROP_SHARE = 8  # a random crop moves by up to this fraction of the side: 4 pixels of 32
CHUNK = 4096  # images processed at a time, which bounds the memory
IGNORED = 255  # in a mask: a pixel of no class, which neither trains nor scores a network
MOST_MASKED = IGNORED  # classes that masks of 8 bits can tell apart
BOX = 5  # numbers of a box: left, top, right and bottom in pixels, and its class
NO_BOX = -1.0  # in each number of a row behind an image's last box
_MASKS = 64  # masks whose pixels are counted at a time, in 8 bytes each


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Images `(N, C, H, W)` as uint8 and their targets, by row.

    These are labels `(N,)` as int64; masks `(N, H, W)` as uint8, the class of each pixel or
    `IGNORED`; or boxes `(N, M, BOX)` as float32, whose rows behind an image's last box are
    `NO_BOX`. `file`: the file that the images are mapped from, if they need not all be in memory.
    """

    images: Tensor
    targets: Tensor
    file: ImageFile | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise DataError(
                f"`Split.images` must be a uint8 tensor (N, C, H, W), but got "
                f"{self.images.dtype} {tuple(self.images.shape)}."
            )
        count, _, *sides = self.images.shape
        dtype, shape = self.targets.dtype, (*self.targets.shape,)
        are_boxes = self.has_boxes and len(shape) == 3 and (shape[0], shape[2]) == (count, BOX)
        if not are_boxes and (dtype, shape) not in (
            (torch.int64, (count,)),
            (torch.uint8, (count, *sides)),
        ):
            raise DataError(
                f"`Split.targets` must be an int64 tensor ({count},), one label an image; a uint8 "
                f"tensor ({', '.join(map(str, (count, *sides)))}), one mask an image; or a float32 "
                f"tensor ({count}, boxes, {BOX}), but got {dtype} {shape}."
            )

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def has_masks(self) -> bool:
        """True if the targets are masks, one class a pixel."""
        return self.targets.dtype == torch.uint8

    @property
    def has_boxes(self) -> bool:
        """True if the targets are boxes with a class each."""
        return self.targets.dtype == torch.float32

    @property
    def nbytes(self) -> int:
        """The size of the images and targets in bytes."""
        return self.images.nbytes + self.targets.nbytes

    def __getitem__(self, rows: Tensor) -> "Split":
        # On uint8 in memory, this was measured as 3.5 times as fast as `self.images[rows]`.
        return Split(self.images.index_select(0, rows), self.targets[rows])

    def to(self, device: torch.device) -> "Split":
        """Return the split with its tensors on `device`."""
        return Split(self.images.to(device), self.targets.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class ImageData:
    """A data set with its three splits; a search reads `train` and `validation` only.

    `mean`, `std`: one number per channel, of the training images scaled to 0..1.
    `crop`, `flip`: suitable augmentation: padding in pixels before a random crop, and whether a
    mirrored image keeps its label. `task`: the task of its targets, see
    `neptune_nas.tasks.registry`.
    `fingerprint`: hexadecimal digits that change with any pixel, label or split assignment.
    `notes`: sentences on what was left out of it.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    crop: int = 0
    flip: bool = False
    task: str = "classification"
    notes: tuple[str, ...] = ()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width


def image_data(source: Source, splits: tuple[Split, Split, Split]) -> ImageData:
    """Return the data set of `source`, cut into `splits` (train, validation, test).

    Raises `DataError` if a split is empty, its images differ in shape, or a label has no class.
    """
    named = dict(zip(("train", "validation", "test"), splits, strict=True))
    check_splits(source.name, source.classes, named)
    train, validation, test = splits
    mean, std = channel_statistics(train.images)
    return ImageData(
        name=source.name,
        train=train,
        validation=validation,
        test=test,
        classes=source.classes,
        mean=mean,
        std=std,
        fingerprint=fingerprint(splits),
        crop=train.images.shape[-1] // CROP_SHARE if source.crop is None else source.crop,
        flip=source.flip,
        task=source.task,
        notes=source.notes,
    )


def check_splits(name: str, classes: tuple[str, ...], splits: Mapping[str, Split]) -> None:
    """Refuse splits (training first) that do not form a data set with these classes."""
    shape = next(iter(splits.values())).images.shape[1:]
    for part, split in splits.items():
        if not len(split):
            raise DataError(
                f"data '{name}': the {part} split needs images, but got none: add some."
            )
        if split.images.shape[1:] != shape:
            raise DataError(
                f"data '{name}': all images must have the shape {tuple(shape)} of the training "
                f"images, but got {tuple(split.images.shape[1:])} in the {part} split."
            )
        _check_targets(name, len(classes), part, split)


def _check_targets(name: str, classes: int, part: str, split: Split) -> None:
    """Refuse labels, masks and boxes of a split without a class."""
    if split.has_boxes:
        _check_boxes(name, classes, part, split)
        return
    if not split.has_masks:
        low, high = int(split.targets.min()), int(split.targets.max())
        if not 0 <= low <= high < classes:
            raise DataError(
                f"data '{name}': labels must lie in 0..{classes - 1}, but got "
                f"{low}..{high} in the {part} split."
            )
        return
    found = pixels_by_class(split.targets, LEVELS).sum(0)
    high = int(found[:IGNORED].count_nonzero() and found[:IGNORED].nonzero().max())
    if high >= classes:
        raise DataError(
            f"data '{name}': masks must hold classes in 0..{classes - 1}, or {IGNORED} for pixels "
            f"to ignore, but got {high} in the {part} split."
        )
    if not found[:IGNORED].any():
        raise DataError(
            f"data '{name}': masks must hold pixels of a class, but those of the {part} split "
            f"are all {IGNORED}, which is ignored."
        )


def _check_boxes(name: str, classes: int, part: str, split: Split) -> None:
    """Refuse boxes of a split without an area, beyond their images, or without a class."""
    are_there = split.targets.ne(NO_BOX).any(2)
    boxes = split.targets[are_there]
    if not len(boxes):
        raise DataError(
            f"data '{name}': images must have boxes, but those of the {part} split have none."
        )
    height, width = split.images.shape[-2:]
    corners, labels = boxes[:, :-1], boxes[:, -1]
    most = torch.tensor([width, height, width, height])
    has_area = (corners[:, 2:] > corners[:, :2]).all(1)  # False for NaN
    is_inside = ((corners >= 0) & (corners <= most)).all(1)
    known = (labels >= 0) & (labels < classes) & (labels == labels.floor())
    wrong = (~(has_area & is_inside & known)).nonzero().flatten()
    if len(wrong):
        *corner, label = boxes[int(wrong[0])].tolist()
        raise DataError(
            f"data '{name}': boxes must lie in their image of {width}x{height} pixels as left, "
            f"top, right, bottom, with an area, and have a class in 0..{classes - 1}, but got "
            f"({', '.join(f'{each:g}' for each in corner)}) of class {label:g} in the {part} split."
        )


def padded(boxes: Sequence[Sequence[Sequence[float]]], least: int = 1) -> Tensor:
    """Return the boxes of each image as targets `(N, M, BOX)`, with `NO_BOX` behind the last.

    `M` is the most boxes of an image, or `least` if that is more.
    """
    most = max(least, *map(len, boxes)) if boxes else least
    targets = torch.full((len(boxes), most, BOX), NO_BOX)
    for row, found in enumerate(boxes):
        if found:
            targets[row, : len(found)] = torch.tensor(np.array(found), dtype=torch.float32)
    return targets


def joined(targets: Sequence[Tensor]) -> Tensor:
    """Return the targets of several splits as one; those with fewer boxes are padded."""
    if targets[0].ndim != 3 or not targets[0].is_floating_point():
        return torch.cat([*targets])
    most = max(each.shape[1] for each in targets)
    behind = ((0, 0, 0, most - each.shape[1]) for each in targets)
    pairs = zip(targets, behind, strict=True)
    return torch.cat([F.pad(*pair, value=NO_BOX) for pair in pairs])


def pixels_by_class(masks: Tensor, classes: int) -> Tensor:
    """Return how many pixels of each class each of `masks` `(N, H, W)` has: `(N, classes)`."""
    counts = []
    for chunk in torch.split(masks, _MASKS):
        first = torch.arange(0, LEVELS * len(chunk), LEVELS, device=masks.device)
        places = chunk.flatten(1).long().add_(first.unsqueeze(1)).flatten()
        counts.append(places.bincount(minlength=LEVELS * len(chunk)).view(-1, LEVELS))
    return torch.cat(counts)[:, :classes]


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per channel of uint8 images `(N, C, H, W)`, in 0..1.

    A channel without contrast gets the standard deviation 1, so that dividing by it is safe.
    """
    counts = torch.zeros(images.shape[1], LEVELS, dtype=torch.int64)
    for chunk in torch.split(images, CHUNK):
        for channel, count in enumerate(counts):
            count += chunk[:, channel].flatten().bincount(minlength=LEVELS)
    shares = counts.double() / counts.sum(1, keepdim=True)
    level = torch.arange(LEVELS, dtype=torch.float64) / (LEVELS - 1)
    mean = shares @ level
    variance = (shares * (level - mean[:, None]).square()).sum(1)
    std = torch.where(counts.count_nonzero(1) > 1, variance.sqrt(), 1.0)
    return tuple(mean.tolist()), tuple(std.tolist())


def fingerprint(splits: tuple[Split, ...]) -> str:
    """Return the first digits of the SHA-256 over the shapes, pixels and targets of each split."""
    digest = sha256()
    for split in splits:
        digest.update(repr(tuple(split.images.shape)).encode())
        for chunk in torch.split(split.images, CHUNK):
            digest.update(chunk.contiguous().numpy().data)
        targets = split.targets.contiguous().numpy()
        little_endian = targets.astype(targets.dtype.newbyteorder("<"))
        digest.update(np.ascontiguousarray(little_endian).data)
    return digest.hexdigest()[:FINGERPRINT_DIGITS]

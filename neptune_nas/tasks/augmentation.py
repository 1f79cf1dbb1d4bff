"""Random augmentation of whole batches: indexing on uint8, floating point only at the end.

The random choices of an epoch are all drawn at its start, one row per image, so that they depend
neither on the order of the images nor on their batches.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from neptune_nas.devices.device import FORMATS, send
from neptune_nas.devices.numerics import Layout
from neptune_nas.nn.builder import seeded

Policy = Literal["none", "trivial", "rand"]
"""TrivialAugment (arXiv 2103.10158) or RandAugment (arXiv 1909.13719), as in torchvision."""

COLOURS = (1, 3)
"""The channels of images that a policy can change: grey or colour."""

_MOVING = {"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"}  # changes of a policy
_VARIANTS = 16  # changes that a policy draws in an epoch; images of a batch share them


@dataclass(frozen=True, slots=True)
class Augment:
    """The settings of an augmentation.

    `crop`: padding before a random crop, in pixels. `flip`: whether to mirror half of the images.
    `cutout`: side of a blanked square, in pixels. `policy`: random changes of colour and shape.
    """

    crop: int = 0
    flip: bool = False
    cutout: int = 0
    policy: Policy = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """The random choices for some images, one row per image, on the host.

    `corners` `(N, 2)`: of the crop in the padded image. `mirrored` `(N,)`: bool. `variants` `(N,)`:
    which of the policy's changes, whose seeds are `seeds`. `centres` `(N, 2)`: of the blanked
    squares.
    """

    augment: Augment
    corners: Tensor
    mirrored: Tensor
    variants: Tensor
    centres: Tensor
    seeds: tuple[int, ...]

    def __getitem__(self, rows: Tensor) -> "Moves":
        return replace(
            self,
            corners=self.corners[rows],
            mirrored=self.mirrored[rows],
            variants=self.variants[rows],
            centres=self.centres[rows],
        )


def draw_moves(
    augment: Augment, images: Tensor, generator: Generator, mirrored: Tensor | None = None
) -> Moves:
    """Draw the choices for `images` `(N, C, H, W)`, of which only the shape matters.

    `mirrored` `(N,)`: which images to mirror (default: each with probability 1/2).
    """
    count, _, *size = images.shape

    def draw(most: int, *shape: int) -> Tensor:
        return torch.randint(most, shape, generator=generator)

    drawn = draw(2, count).bool()
    seeds = tuple(draw(2**31, _VARIANTS).tolist()) if augment.policy != "none" else ()
    return Moves(
        augment,
        corners=draw(2 * augment.crop + 1, count, 2),
        mirrored=(drawn if mirrored is None else mirrored) & augment.flip,
        variants=draw(_VARIANTS, count),
        centres=torch.stack([draw(side, count) for side in size], dim=1),
        seeds=seeds,
    )


class Channels(Protocol):
    """A data set, or a model that was trained on it, with one number per channel."""

    @property
    def mean(self) -> tuple[float, ...]:
        """The mean of the training images scaled to 0..1."""

    @property
    def std(self) -> tuple[float, ...]:
        """Their standard deviation."""


class Normalizer:
    """A map that scales the channels of a data set to zero mean and unit variance."""

    def __init__(
        self, data: Channels, device: torch.device, layout: Layout = "channels_last"
    ) -> None:
        def channels(values: tuple[float, ...]) -> Tensor:
            return torch.tensor(values, device=device).mul(255).view(1, -1, 1, 1)

        self.mean, self.scale = channels(data.mean), channels(data.std).reciprocal()
        self.format = FORMATS[layout]

    def __call__(self, images: Tensor) -> Tensor:
        """Return uint8 images `(N, C, H, W)` as normalised float32, in the memory layout."""
        floats = images.to(torch.float32, memory_format=self.format)
        return floats.sub_(self.mean).mul_(self.scale)


def random_views(images: Tensor, moves: Moves, normalize: Normalizer) -> Tensor:
    """Return images `(N, C, H, W)`, each augmented by its row of `moves` and normalised."""
    return finished(moved(images, moves), moves, normalize)


def moved(images: Tensor, moves: Moves) -> Tensor:
    """Return uint8 images `(N, C, H, W)`, each cropped and mirrored by its row of `moves`."""
    augment = moves.augment
    if augment.crop:
        images = crop_windows(images, augment.crop, moves.corners)
    if augment.flip:
        mirrored = send(moves.mirrored, images.device).view(-1, 1, 1, 1)
        images = torch.where(mirrored, images.flip(-1), images)
    return images


def finished(
    images: Tensor, moves: Moves, normalize: Normalizer, *, in_place: bool = False
) -> Tensor:
    """Return moved images changed by the policy, normalised, and with blanked squares.

    `in_place`: whether pixels must stay where they are, so that the policy changes colours alone.
    """
    augment = moves.augment
    if augment.policy != "none":
        images = _change(images, moves, in_place)
    floats = normalize(images)
    return blank_squares(floats, augment.cutout, moves.centres) if augment.cutout else floats


def crop_windows(images: Tensor, padding: int, corners: Tensor) -> Tensor:
    """Return windows of the images' size, cut at `corners` after padding with black pixels."""
    count, _, height, width = images.shape
    windows = F.pad(images, [padding] * 4).unfold(2, height, 1).unfold(3, width, 1)
    down, right = send(corners.T, images.device)
    return windows[torch.arange(count, device=images.device), :, down, right]


def _change(images: Tensor, moves: Moves, in_place: bool) -> Tensor:
    """Return a copy of uint8 images, changed by the policy; all of one variant change alike."""
    change, images = _policy(moves.augment.policy, in_place), images.clone()
    for variant, seed in enumerate(moves.seeds):
        rows = send(moves.variants.eq(variant).nonzero().flatten(), images.device)
        if len(rows):
            with seeded(seed):
                images[rows] = change(images[rows])
    return images


@cache
def _policy(name: Policy, in_place: bool) -> nn.Module:
    """Return torchvision's transform of a policy; it draws from torch's global random state."""
    from torchvision.transforms import v2  # loaded where it is used: it takes a second

    policy: nn.Module = v2.TrivialAugmentWide() if name == "trivial" else v2.RandAugment()
    if in_place:
        space: dict[str, object] = vars(type(policy))["_AUGMENTATION_SPACE"]
        kept = {kind: how for kind, how in space.items() if kind not in _MOVING}
        vars(policy)["_AUGMENTATION_SPACE"] = kept  # in place of its class's
    return policy


def blank_squares(images: Tensor, side: int, centres: Tensor) -> Tensor:
    """Set a square of `side` pixels around each centre to the mean, 0, in normalised images.

    Images are `(N, C, H, W)`. Part of a square may lie outside.
    """
    _, _, height, width = images.shape
    rows, columns = centres.add(-(side // 2)).unsqueeze(2).unbind(1)
    inside_rows = _span_mask(rows, side, height).unsqueeze(2)
    inside_columns = _span_mask(columns, side, width).unsqueeze(1)
    blank = send((inside_rows & inside_columns).unsqueeze(1), images.device)
    return images.masked_fill_(blank, 0.0)


def _span_mask(starts: Tensor, side: int, size: int) -> Tensor:
    """Return the mask `(N, size)` of the `side` positions from each of `starts` `(N, 1)` on."""
    places = torch.arange(size)
    return (places >= starts) & (places < starts + side)

"""Mixtures of the images of a batch: mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899)."""

import torch
from torch import Generator, Tensor
from torch.distributions import Beta

from neptune_nas.nn.builder import seeded
from neptune_nas.training.recipe import Recipe


def mix(images: Tensor, recipe: Recipe, generator: Generator) -> tuple[Tensor, float]:
    """Return normalised images `(N, C, H, W)`, each mixed with the one before, and their share.

    The share, 0..1, is that of each image, and so of its target, in its mixture; it is the same for
    the whole batch.
    """
    kinds = [name for name in ("mixup", "cutmix") if getattr(recipe, name)]
    if not kinds:
        return images, 1.0
    place, seed = torch.randint(2**31, (2,), generator=generator).tolist()
    kind = kinds[place % len(kinds)]
    with seeded(seed):
        alpha = float(getattr(recipe, kind))
        share = float(Beta(alpha, alpha).sample())
        if kind == "mixup":
            return images.lerp(images.roll(1, 0), 1 - share), share
        return _paste(images, share)


def _paste(images: Tensor, share: float) -> tuple[Tensor, float]:
    """Paste a random box of the preceding image into each; return the images and their share.

    The box has `1 - share` of the area, less where it would leave the image.
    """
    _, _, height, width = images.shape
    side = (1 - share) ** 0.5
    (top, bottom), (left, right) = (_span(size, side) for size in (height, width))
    images[:, :, top:bottom, left:right] = images.roll(1, 0)[:, :, top:bottom, left:right]
    return images, 1 - (bottom - top) * (right - left) / (height * width)


def _span(size: int, side: float) -> tuple[int, int]:
    """Return a random span of the share `side` of `size` pixels, clipped at the borders."""
    centre, half = int(torch.randint(size, ())), int(size * side) // 2
    return max(centre - half, 0), min(centre + half, size)

"""Stratified splits, fixed by a seed: every class has its share in every part.

An image with a mask has no class of its own, so such images are split at random; of images with
boxes, every part has its share of those that show something.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.int64]

_VALIDATION_SHARE = 0.1  # of the training images, where the data set comes with a test split
TWO_WAY = (1 - _VALIDATION_SHARE, _VALIDATION_SHARE)
THREE_WAY = (0.6, 0.2, 0.2)  # train, validation, test, where it does not


def stratified(labels: ArrayLike, shares: Sequence[float], seed: int) -> tuple[Rows, ...]:
    """Return all rows of `labels` (N,) in disjoint parts of these `shares`, which sum to 1.

    Masks (N, H, W) have no strata, so their parts are random, and boxes (N, M, 5) two. A part has
    its share of every class, to within an image or two, and at least one image of each class that
    has enough for this part and those before it. Its rows are in ascending order.
    """
    labels = _strata(labels)
    order = _stratified_order(labels, seed)
    ends = np.rint(np.cumsum(shares)[:-1] * len(order)).astype(int)
    parts = np.split(order, ends)
    _fill_gaps(labels, parts, len(parts))
    return tuple(np.sort(part) for part in parts)


def at_most(labels: ArrayLike, limit: int | None, seed: int) -> Rows:
    """Return `limit` rows of `labels` (N,), masks or boxes, stratified, or all if there are fewer.

    Every class keeps a row if `limit` is at least the number of classes.
    """
    labels = _strata(labels)
    order = _stratified_order(labels, seed)
    parts = np.split(order, [len(order) if limit is None else limit])
    _fill_gaps(labels, parts, 1)
    return np.sort(parts[0])


def _strata(targets: ArrayLike) -> NDArray[np.int64]:
    """Return the labels to stratify by: all masks are alike, and so are all images with boxes."""
    found = np.asarray(targets)
    if found.ndim == 1:
        return found.astype(np.int64)
    if not np.issubdtype(found.dtype, np.floating):
        return np.zeros(len(found), np.int64)
    shown: NDArray[np.int64] = np.any(found >= 0, (1, 2)).astype(np.int64)
    return shown  # rows without a box are negative


def _stratified_order(labels: ArrayLike, seed: int) -> Rows:
    """Return the rows of `labels` (N,) in a random order whose every stretch is stratified.

    Each class is shuffled and then spread evenly over the whole order.
    """
    values = np.asarray(labels, dtype=np.int64)
    random = np.random.RandomState(seed)  # its stream is frozen; `default_rng` may change
    place = np.empty(len(values))
    for label in np.unique(values):
        rows = random.permutation(np.flatnonzero(values == label))
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.lexsort((random.random_sample(len(values)), place))


def _fill_gaps(labels: ArrayLike, parts: Sequence[Rows], count: int) -> None:
    """Swap rows between `parts`, so that the first `count` have every class, as far as possible.

    A class with fewer images has one in each of the first parts. The sizes do not change.
    """
    _, values = np.unique(labels, return_inverse=True)
    place = np.arange(len(parts))[:, None]
    has = np.stack([np.bincount(values[part], minlength=values.max() + 1) for part in parts])
    needs = (place < np.minimum(has.sum(0), count)).astype(int)
    sizes = np.array([len(part) for part in parts])[:, None]
    shares = has.sum(0) * sizes / len(values)
    for part, label in np.argwhere(has < needs):
        donor = int(np.argmax((has - needs)[:, label]))
        can_go = (has > needs)[part]
        if not can_go.any():
            continue
        other = int(np.argmax(np.where(can_go, (has - shares)[part], -np.inf)))
        here = np.flatnonzero(values[parts[part]] == other)[-1]
        there = np.flatnonzero(values[parts[donor]] == label)[-1]
        parts[part][here], parts[donor][there] = parts[donor][there], parts[part][here]
        has[[part, donor], label] += 1, -1
        has[[donor, part], other] += 1, -1

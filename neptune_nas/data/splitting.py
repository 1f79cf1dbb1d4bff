"""Stratified splits, fixed by a seed: every class has its share in every part."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.int64]

_VALIDATION_SHARE = 0.1  # of the training images, where the data set comes with a test split
TWO_WAY = (1 - _VALIDATION_SHARE, _VALIDATION_SHARE)
THREE_WAY = (0.6, 0.2, 0.2)  # train, validation, test, where it does not


def stratified(labels: ArrayLike, shares: Sequence[float], seed: int) -> tuple[Rows, ...]:
    """Return all rows of `labels` (N,) in disjoint parts of these `shares`, which sum to 1.

    A part has its share of every class, to within one image; its rows are in rising order.
    """
    order = _stratified_order(labels, seed)
    ends = np.rint(np.cumsum(shares)[:-1] * len(order)).astype(int)
    return tuple(np.sort(part) for part in np.split(order, ends))


def at_most(labels: ArrayLike, limit: int | None, seed: int) -> Rows:
    """Return `limit` rows of `labels` (N,), stratified, or all if there are fewer."""
    return np.sort(_stratified_order(labels, seed)[:limit])


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

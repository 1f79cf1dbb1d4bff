"""Pareto dominance, non-dominated sorting and hypervolume, for points to be minimised.

Optuna has all three for its own studies. These work on plain arrays, so that reports, rungs and
samplers share one definition without importing Optuna.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def non_dominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Return which of the `(n, k)` points no other dominates; equal points are all kept."""
    values = np.asarray(points, dtype=np.float64).reshape(len(np.asarray(points)), -1)
    keep = np.ones(len(values), dtype=bool)
    for i, point in enumerate(values):
        if keep[i]:
            worse = (values >= point).all(axis=1) & (values > point).any(axis=1)
            keep &= ~worse
    return keep


def ranks(points: ArrayLike) -> NDArray[np.int64]:
    """Return the front of each of the `(n, k)` points: 0 is non-dominated, 1 once 0 is removed."""
    values = np.asarray(points, dtype=np.float64)
    result = np.full(len(values), -1, dtype=np.int64)
    rank = 0
    while (left := np.flatnonzero(result < 0)).size:
        result[left[non_dominated(values[left])]] = rank
        rank += 1
    return result


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Return the volume that the `(n, k)` points dominate, bounded by the `(k,)` reference point.

    Two objectives are swept in `n log n`; more are sliced along the last one (Fonseca et al. 2006,
    doi 10.1109/CEC.2006.1688440). Points that do not dominate the reference add nothing.
    """
    corner = np.asarray(reference, dtype=np.float64)
    values = np.asarray(points, dtype=np.float64).reshape(-1, len(corner))
    values = values[(values < corner).all(axis=1)]
    if not len(values):
        return 0.0
    if len(corner) == 1:
        return float(corner[0] - values.min())
    if len(corner) == 2:
        return _area(values, corner)
    values = values[np.argsort(values[:, -1], kind="stable")]
    ends = np.append(values[1:, -1], corner[-1])
    return float(
        sum(
            (end - start) * hypervolume(values[: i + 1, :-1], corner[:-1])
            for i, (start, end) in enumerate(zip(values[:, -1], ends, strict=True))
            if end > start
        )
    )


def _area(values: Floats, corner: Floats) -> float:
    order = np.lexsort((values[:, 1], values[:, 0]))
    first, second = values[order, 0], np.minimum.accumulate(values[order, 1])
    ends = np.append(first[1:], corner[0])
    return float(((ends - first) * (corner[1] - second)).sum())

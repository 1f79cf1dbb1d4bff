"""How well one ranking of architectures agrees with another, and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from neptune_nas.metrics.pareto import Floats

RESAMPLES = 2_000
LEAST = 4  # architectures: fewer have no ranking to speak of


@dataclass(frozen=True, slots=True)
class Measure:
    """A rank correlation, -1..1, and its 95% interval, by resampling the architectures.

    All three are NaN where one of the rankings is a single tie.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Kendall's tau-b and Spearman's rho of `name` with the truth, on `count` architectures."""

    name: str
    count: int
    tau: Measure
    rho: Measure


def agreement(name: str, values: Sequence[float], truth: Sequence[float]) -> Agreement | None:
    """The agreement of values with the truth, more is better in both.

    Architectures without a finite value are left out; None where fewer than 4 remain.
    """
    pairs = np.array([values, truth], dtype=np.float64)
    x, y = pairs[:, np.isfinite(pairs).all(axis=0)]
    if len(x) < LEAST:
        return None
    draws = np.random.default_rng(0).integers(len(x), size=(RESAMPLES, len(x)))
    return Agreement(name, len(x), measure(kendall, x, y, draws), measure(spearman, x, y, draws))


def measure(
    of: Callable[[Floats, Floats], Floats], x: Floats, y: Floats, draws: NDArray[Any]
) -> Measure:
    """A correlation of x `(n,)` with y `(n,)`, its interval from the rows of `draws`."""
    found = of(x[draws], y[draws])
    found = found[np.isfinite(found)]
    low, high = np.quantile(found, [0.025, 0.975]) if len(found) else (np.nan, np.nan)
    return Measure(float(of(x, y)), float(low), float(high))


def kendall(x: Floats, y: Floats) -> Floats:
    """Kendall's tau-b of the last axis of x and y `(..., n)` (doi 10.1093/biomet/33.3.239)."""
    return correlation(signs(x), signs(y))


def spearman(x: Floats, y: Floats) -> Floats:
    """Spearman's rho of the last axis of x and y `(..., n)`."""
    middle = (x.shape[-1] + 1) / 2
    return correlation(rankdata(x, axis=-1) - middle, rankdata(y, axis=-1) - middle)


def signs(values: Floats) -> Floats:
    """Which of each pair is more: `(..., n)` to `(..., n * n)`."""
    found: Floats = np.sign(values[..., :, None] - values[..., None, :])
    return found.reshape(*values.shape[:-1], -1)


def correlation(a: Floats, b: Floats) -> Floats:
    """The correlation of what has mean 0 along the last axis; NaN where one is all 0."""
    scale = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    with np.errstate(invalid="ignore"):
        return np.asarray((a * b).sum(axis=-1) / scale)

"""Rank correlation between two rankings of architectures, with confidence intervals."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neptune_nas.metrics.pareto import Floats

LEAST = 4  # architectures: a ranking of fewer says nothing
_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class _Correlation:
    """A rank correlation in -1..1, with its 95% interval from a bootstrap over architectures.

    All three numbers are NaN where one of the rankings is a single tie.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """The agreement of two rankings: by `values` and by `truth`, more is better in both.

    The correlations are computed on first use, since their intervals take a while.
    """

    name: str
    values: tuple[float, ...]
    truth: tuple[float, ...]

    @property
    def count(self) -> int:
        """The number of architectures."""
        return len(self.values)

    @cached_property
    def tau(self) -> _Correlation:
        """Kendall's tau-b (doi 10.1093/biomet/33.3.239)."""
        from scipy.stats import kendalltau  # its import takes half a second

        return _correlation(kendalltau, self.values, self.truth)

    @cached_property
    def rho(self) -> _Correlation:
        """Spearman's rho."""
        from scipy.stats import spearmanr

        return _correlation(spearmanr, self.values, self.truth)


def agreement(name: str, values: Sequence[float], truth: Sequence[float]) -> Agreement | None:
    """Return the agreement of values with the truth, or None for fewer than 4 architectures.

    Architectures without a finite value are left out.
    """
    pairs = np.array([values, truth], dtype=np.float64)
    x, y = pairs[:, np.isfinite(pairs).all(axis=0)].tolist()
    return None if len(x) < LEAST else Agreement(name, tuple(x), tuple(y))


def _correlation(of: Callable[..., Any], x: Sequence[float], y: Sequence[float]) -> _Correlation:
    from scipy.stats import bootstrap

    def statistic(x: Floats, y: Floats) -> float:
        return float(of(x, y).statistic)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resample of few may be a single tie
        value = statistic(np.array(x), np.array(y))
        drawn = bootstrap(
            (x, y),
            statistic,
            n_resamples=_RESAMPLES,
            vectorized=False,
            paired=True,
            method="percentile",
            rng=np.random.default_rng(0),
        ).bootstrap_distribution
    sure = drawn[np.isfinite(drawn)]
    low, high = np.quantile(sure, [0.025, 0.975]) if len(sure) else (np.nan, np.nan)
    return _Correlation(value, float(low), float(high))

"""A Gaussian process over architectures, its kernel learned from the trials.

The kernel is a sum of three, each with a variance of its own: decisions place by place (a weight a
decision: how much it matters there), how often each option is taken (so that what was learned at
one place helps at all), and the costs (larger networks of a kind score alike). Weights and
variances are those of the highest posterior density: the marginal likelihood (Rasmussen and
Williams 2006, chapter 5) times log-normal priors, which shrink each weight to a common one.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from neptune_nas.samplers.features import Floats, Points, joined

JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel's parameters; targets are taken to have variance 1.

    `groups`: which of `weights` each column of picks has. `reach`: length scales of counts and
    costs, in standard deviations. `variances`: of the three parts. `noise`: variance.
    """

    groups: np.ndarray
    weights: Floats
    reach: tuple[float, Floats]
    variances: Floats
    noise: float

    @property
    def variance(self) -> float:
        """The variance of any one point."""
        return float(self.variances.sum())

    def __call__(self, a: Points, b: Points) -> Floats:
        """The covariances of two sets of points, (n, m)."""
        parts = self.parts(*self.distances(a, b))
        return sum(v * part for v, part in zip(self.variances, parts, strict=True))

    def distances(self, a, b):
        root = np.sqrt(self.weights)[self.groups]
        return squared(a.picks*root, b.picks*root), 

"""A Gaussian process over architectures, with a kernel learned from the trials.

The kernel is a sum of three, each with its own variance: decisions place by place (a weight per
decision: how much it matters there), how often each option is taken (a lesson from one place holds
in part for the others), and the costs (larger networks of a kind score alike). Weights, length
scales, variances and noise are those of the highest posterior density: the marginal likelihood
(Rasmussen and Williams 2006, chapter 5) times log-normal priors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from neptune_nas.samplers.features import Floats, Points

_JITTER = 1e-6
_STEPS = 40  # of L-BFGS; more make no difference to a search
_IMPOSSIBLE = 1e10  # the loss of parameters whose covariances cannot be factored
_REACH = 8  # prior deviations from the mean within which parameters are looked for


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel's parameters; targets are assumed to have mean 0 and variance 1.

    `groups`: the index in `weights` for each column of picks. `reach`: the length scales of the
    counts and of each cost. `variances`: of the three parts.
    """

    groups: NDArray[np.int64]
    weights: Floats
    reach: tuple[float, Floats]
    variances: Floats
    noise: float

    @property
    def variance(self) -> float:
        """The prior variance of a point."""
        return float(self.variances.sum())

    def __call__(self, a: Points, b: Points) -> Floats:
        """Return the covariances of n points with m others, (n, m)."""
        weight = np.sqrt(2 * self.weights)[self.groups]
        counts = self.reach[0] * np.sqrt(max(a.counts.shape[1], 1))
        places = _gaussian_similarity(a.picks * weight, b.picks * weight)
        often = _gaussian_similarity(a.counts / counts, b.counts / counts)
        costs = _gaussian_similarity(a.logs / self.reach[1], b.logs / self.reach[1])
        of_places, of_often, of_costs = self.variances
        total: Floats = of_places * places + of_often * often + of_costs * costs
        return total


def _gaussian_similarity(a: Floats, b: Floats) -> Floats:
    """Return exp(-d^2 / 2) for the distances d of the rows of `a` (n, d) and `b` (m, d)."""
    distances = squared_distances(a, b)
    distances *= -0.5
    likeness: Floats = np.exp(distances, out=distances)
    return likeness


def squared_distances(a: Floats, b: Floats) -> Floats:
    """Return the squared distances (n, m) of the rows of `a` (n, d) and `b` (m, d)."""
    apart: Floats = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.maximum(apart, 0.0, out=apart)


@dataclass(frozen=True, slots=True)
class Posterior:
    """The process given n points. `factor`: (n, n), lower Cholesky factor of their covariances."""

    kernel: Kernel
    points: Points
    factor: Floats

    @classmethod
    def of(cls, kernel: Kernel, points: Points, noise: Floats) -> "Posterior":
        """Return the posterior given points; `noise` (n,): extra variances of their targets."""
        covariances = kernel(points, points)
        covariances.flat[:: len(points) + 1] += kernel.noise + noise + _JITTER
        return cls(kernel, points, cholesky(covariances, lower=True, check_finite=False))

    def whitened(self, others: Points, known: Floats) -> Floats:
        """Return the covariances with m other points times the inverse of `factor`, (n, m).

        `known`: its first rows, if they were computed before for the first points.
        """
        k = len(known)
        rest = self.kernel(self.points[k:], others) - self.factor[k:, :k] @ known
        solved = solve_triangular(self.factor[k:, k:], rest, lower=True, check_finite=False)
        return np.concatenate([known, solved])

    def predict(self, targets: Floats, whitened: Floats) -> tuple[Floats, Floats]:
        """Return means and standard deviations (m,) at the points of `whitened`."""
        seen = solve_triangular(self.factor, targets, lower=True, check_finite=False)
        variance = self.kernel.variance - np.einsum("nm,nm->m", whitened, whitened)
        return seen @ whitened, np.sqrt(np.maximum(variance, _JITTER))


def learn(points: Points, targets: Floats, noise: Floats, groups: NDArray[np.int64]) -> Kernel:
    """Return the most probable kernel. `noise`: (n,), extra variances of uncertain targets."""
    problem = Likelihood(points, targets, noise, groups)
    start = problem.expected
    reach = _REACH * problem.spread
    found = minimize(
        problem,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([start - reach, start + reach], axis=1),
        options={"maxiter": _STEPS},
    )
    return problem.kernel(found.x if np.isfinite(found.fun) else start)


class Likelihood:
    """The negative log posterior density of a kernel's parameters, and its gradient.

    The parameters are logarithms, in order: the common weight, each weight's deviation from it, the
    length scales of the counts and of each cost, the three variances, the noise.
    """

    def __init__(
        self, points: Points, targets: Floats, noise: Floats, groups: NDArray[np.int64]
    ) -> None:
        self.targets, self.noise, self.groups = targets, noise, groups
        count = int(groups.max(initial=-1)) + 1
        apart = [
            squared_distances(p, p).ravel()
            for g in range(count)
            for p in [points.picks[:, groups == g]]
        ]
        self.places = np.stack(apart) if apart else np.zeros((0, len(points) ** 2))
        self.often = squared_distances(points.counts, points.counts) / max(
            points.counts.shape[1], 1
        )
        logs = [
            squared_distances(column[:, None], column[:, None]).ravel() for column in points.logs.T
        ]
        self.costs = np.stack(logs) if logs else np.zeros((0, len(points) ** 2))
        self.sizes = [1, count, 1, len(logs), 3, 1]
        self.expected, self.spread = self._prior()

    def _prior(self) -> tuple[Floats, Floats]:
        """Return means and standard deviations of the parameters' logarithms."""
        common = np.log(1.5 / max(self.sizes[1], 1))  # exp(-1.5) if all decisions differ
        means = [common, 0.0, 0.0, 0.0, np.log(0.3), np.log(0.02)]
        return np.repeat(means, self.sizes), np.repeat([1.0, 0.7, 0.7, 0.7, 1.0, 1.5], self.sizes)

    def kernel(self, logarithms: Floats) -> Kernel:
        """Return the kernel with these parameters."""
        parts = np.split(np.exp(logarithms), np.cumsum(self.sizes)[:-1])
        common, own, counts, logs, variances, noise = parts
        return Kernel(self.groups, common * own, (float(counts[0]), logs), variances, noise[0])

    def __call__(self, logarithms: Floats) -> tuple[float, Floats]:
        """Return the loss, up to a constant, and its gradient."""
        kernel, n = self.kernel(logarithms), len(self.targets)
        parts = self._parts(kernel)
        covariances = (kernel.variances @ parts).reshape(n, n)
        covariances.flat[:: n + 1] += kernel.noise + self.noise + _JITTER
        try:
            factor = cholesky(covariances, lower=True, check_finite=False)
        except LinAlgError:
            return _IMPOSSIBLE, np.zeros_like(logarithms)
        inverse = cho_solve((factor, True), np.eye(n), check_finite=False)
        solved = inverse @ self.targets
        slope = ((inverse - np.outer(solved, solved)) / 2).ravel()
        off = (logarithms - self.expected) / self.spread
        loss = self.targets @ solved / 2 + np.log(np.diag(factor)).sum() + off @ off / 2
        return float(loss), self._gradient(kernel, parts, slope) + off / self.spread

    def _parts(self, kernel: Kernel) -> Floats:
        counts, logs = kernel.reach
        return np.exp(
            [
                -(kernel.weights @ self.places),
                -self.often.ravel() / (2 * counts**2),
                -(logs**-2 @ self.costs) / 2,
            ]
        )

    def _gradient(self, kernel: Kernel, parts: Floats, slope: Floats) -> Floats:
        places, often, costs = kernel.variances[:, None] * parts * slope
        counts, logs = kernel.reach
        weights = -kernel.weights * (self.places @ places)
        n = len(self.targets)
        return np.concatenate(
            [
                [weights.sum()],
                weights,
                [often @ self.often.ravel() / counts**2],
                logs**-2 * (self.costs @ costs),
                [places.sum(), often.sum(), costs.sum()],
                [kernel.noise * slope[:: n + 1].sum()],
            ]
        )

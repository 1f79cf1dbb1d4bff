"""The expected gain of a candidate whose cost is known and whose score is not.

The front so far is a staircase over the costs: at each cost the best score that no more buys. A
candidate of cost c adds, at every cost from c to the reference, what its score is above the stair,
so the expected hypervolume gain (Emmerich et al. 2011, doi 10.1109/CEC.2011.5949880) is a sum over
stairs of expected improvements (Jones et al. 1998, doi 10.1023/A:1008306431147).

Scores are noisy, and what a search recommends is what scored best, so a stair has two heights: what
was measured, which a candidate must beat to take its place, and what is believed to be true of it,
which is what is lost then. Without noise both are one, and the gain is the textbook's.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import qmc

from neptune_nas.pareto import non_dominated
from neptune_nas.samplers.features import Floats

STAIRS = 128  # points that stand for the costs, where there are two or more
ROOT = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True, slots=True)
class Front:
    """The best so far. `scores`: (m,), as measured, and `truths`: (m,), as believed, more is better.

    `costs`: (m, k), less is better. `noise`: standard deviation of a score. `floor` and `ceiling`
    (k,): the score and the costs that hypervolume is measured from.
    """

    scores: Floats
    truths: Floats
    costs: Floats
    noise: float
    floor: float
    ceiling: Floats


@dataclass(frozen=True, slots=True)
class Stairs:
    """Steps of the staircase, (m,) each: measured and believed height, and what it is to pass."""

    heights: Floats
    truths: Floats


def expected_gain(mean: Floats, deviation: Floats, costs: Floats, front: Front) -> Floats:
    """The expected hypervolume gain of n candidates; `costs`: (n, k), with k = 0 for no cost."""
    kinds = costs.shape[1]
    if kinds == 0:
        stairs, shares = Stairs(*summit(front)), np.ones((len(mean), 1))
    elif kinds == 1:
        stairs, starts, ends = staircase(front)
        shares = np.maximum(ends - np.maximum(starts, costs), 0.0)
    else:
        stairs, corners = scattered(front, np.minimum(costs.min(axis=0), front.ceiling))
        shares = (costs[:, None, :] <= corners[None]).all(axis=2) / len(corners)
    gain: Floats = (shares * improvement(mean, deviation, stairs, front.noise)).sum(axis=1)
    return gain


def improvement(mean: Floats, deviation: Floats, stairs: Stairs, noise: float) -> Floats:
    """What is expected of taking the place of each stair (m,) if the score is higher, as (n, m).

    For a truth f ~ N(mean, deviation^2) and a score y = f + noise: E[(f - truth) [y > height]].
    """
    spread = np.hypot(deviation, noise)[:, None]
    away = (mean[:, None] - stairs.heights) / spread
    density = np.exp(-(away**2) / 2) / ROOT
    gain: Floats = ndtr(away) * (mean[:, None] - stairs.truths)
    return gain + deviation[:, None] ** 2 / spread * density


def summit(front: Front) -> tuple[Floats, Floats]:
    """The measured and believed height of the best; the floor where nothing was measured."""
    if not len(front.scores):
        return np.array([front.floor]), np.array([front.floor])
    best = [int(front.scores.argmax())]
    return front.scores[best], front.truths[best]


def staircase(front: Front) -> tuple[Stairs, Floats, Floats]:
    """The stairs over one cost, where each starts and where it ends."""
    inside = (front.scores > front.floor) & (front.costs[:, 0] < front.ceiling[0])
    scores, truths, costs = front.scores[inside], front.truths[inside], front.costs[inside, 0]
    best = np.flatnonzero(non_dominated(np.stack([-scores, costs], axis=1)))
    order = best[np.argsort(costs[best], kind="stable")]
    stairs = Stairs(
        np.concatenate([[front.floor], scores[order]]),
        np.concatenate([[front.floor], truths[order]]),
    )
    return stairs, np.append(-np.inf, costs[order]), np.append(costs[order], front.ceiling)


def scattered(front: Front, lowest: Floats) -> tuple[Stairs, Floats]:
    """The stairs at 128 evenly scattered points between the lowest costs and the ceiling."""
    unit = qmc.Sobol(len(lowest), scramble=False).random(STAIRS)
    corners = lowest + unit * (front.ceiling - lowest)
    scores = np.append(front.scores, front.floor)
    truths = np.append(front.truths, front.floor)
    costs = np.vstack([front.costs, np.full_like(front.ceiling, -np.inf)])
    reached = (costs[:, None, :] <= corners[None]).all(axis=2)
    best = np.where(reached, scores[:, None], -np.inf).argmax(axis=0)
    return Stairs(scores[best], truths[best]), corners

"""The expected gain of a candidate with a known cost and an unknown score.

The front so far is a staircase over the costs: at each cost the best score at no more than that
cost. A candidate of cost c adds, at every cost from c to the reference, the height of its score
above the stair. So the expected hypervolume gain (Emmerich et al. 2011, doi
10.1109/CEC.2011.5949880) is a sum over stairs of expected improvements (Jones et al. 1998, doi
10.1023/A:1008306431147).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from neptune_nas.metrics.pareto import non_dominated
from neptune_nas.samplers.features import Floats

_STAIRS = 128  # points that represent the costs, if there are two or more
_ROOT = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True, slots=True)
class Front:
    """The results so far. `scores`: (m,), more is better. `costs`: (m, k), less is better.

    `floor` and `ceiling` (k,): the score and the costs of the hypervolume reference.
    """

    scores: Floats
    costs: Floats
    floor: float
    ceiling: Floats


def expected_gain(mean: Floats, deviation: Floats, costs: Floats, front: Front) -> Floats:
    """Return the expected hypervolume gain of n candidates; `costs`: (n, k), k may be 0."""
    kinds = costs.shape[1]
    if kinds == 0:
        summit = np.array([front.scores.max(initial=front.floor)])
        return improvement(mean, deviation, summit)[:, 0]
    shares: Floats
    if kinds == 1:
        heights, starts, ends = _staircase(front)
        shares = np.maximum(ends - np.maximum(starts, costs), 0.0)
    else:
        heights, corners = _scattered(front, np.minimum(costs.min(axis=0), front.ceiling))
        below = (costs[:, None, :] <= corners[None]).all(axis=2)
        shares = np.asarray(below, dtype=np.float64) / len(corners)
    gain: Floats = (shares * improvement(mean, deviation, heights)).sum(axis=1)
    return gain


def improvement(mean: Floats, deviation: Floats, heights: Floats) -> Floats:
    """Return the expected excess (n, m) of normal scores (n,) over each of the heights (m,)."""
    away = (mean[:, None] - heights) / deviation[:, None]
    density = np.exp(-(away**2) / 2) / _ROOT
    above: Floats = deviation[:, None] * (density + away * ndtr(away))
    return above


def _staircase(front: Front) -> tuple[Floats, Floats, Floats]:
    """Return the height of each stair over one cost, and the costs where it starts and ends."""
    inside = (front.scores > front.floor) & (front.costs[:, 0] < front.ceiling[0])
    scores, costs = front.scores[inside], front.costs[inside, 0]
    points = np.stack([-scores, costs], axis=1)
    best = np.flatnonzero(non_dominated(points)) if len(points) else np.zeros(0, dtype=int)
    order = best[np.argsort(costs[best], kind="stable")]
    heights = np.append(front.floor, scores[order])
    return heights, np.append(-np.inf, costs[order]), np.append(costs[order], front.ceiling)


def _scattered(front: Front, lowest: Floats) -> tuple[Floats, Floats]:
    """Return 128 Sobol points between the lowest costs and the ceiling, after their heights."""
    from scipy.stats import qmc  # its import takes half a second

    unit = qmc.Sobol(len(lowest), scramble=False).random(_STAIRS)
    corners = lowest + unit * (front.ceiling - lowest)
    reached = (front.costs[:, None, :] <= corners[None]).all(axis=2)
    scores = np.where(reached, front.scores[:, None], front.floor)
    return scores.max(axis=0, initial=front.floor), corners

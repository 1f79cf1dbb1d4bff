from random import Random

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from neptune_nas.samplers.features import Encoder, Floats, Points
from neptune_nas.samplers.gaussian import Kernel, Likelihood, Posterior, learn
from neptune_nas.samplers.problem import Problem
from tests.samplers.helpers import NESTED, accuracy, cost

RNG = Random(0)
FOUND = [NESTED.sample(RNG) for _ in range(160)]
ENCODER = Encoder(Problem(NESTED, ("accuracy",), cost), FOUND)
POINTS = ENCODER(FOUND)
RAW = np.array([accuracy(architecture) for architecture in FOUND])
SCORES = (RAW - RAW.mean()) / RAW.std()
NONE = np.zeros(len(FOUND))


def learned(rows: slice) -> Kernel:
    return learn(POINTS[rows], SCORES[rows], NONE[rows], ENCODER.groups)


def posterior(kernel: Kernel, rows: slice) -> Posterior:
    return Posterior.of(kernel, POINTS[rows], NONE[rows])


def nothing(points: Points) -> Floats:
    return np.zeros((0, len(points)))


def test_the_gradient_is_that_of_the_loss() -> None:
    rows = slice(0, 25)
    loss = Likelihood(POINTS[rows], SCORES[rows], np.linspace(0, 0.2, 25), ENCODER.groups)
    at = loss.expected + np.linspace(-0.3, 0.3, len(loss.expected))
    numeric = approx_fprime(at, lambda logarithms: loss(logarithms)[0], 1e-6)
    assert loss(at)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_what_is_learned_is_likelier_than_what_was_expected() -> None:
    rows = slice(0, 40)
    loss = Likelihood(POINTS[rows], SCORES[rows], NONE[rows], ENCODER.groups)
    kernel = learned(rows)
    found = np.log([*kernel.variances, kernel.noise])
    assert not np.allclose(found, loss.expected[-4:])


def test_predictions_explain_most_of_what_was_not_seen() -> None:
    seen, unseen = slice(0, 100), slice(100, 160)
    model = posterior(learned(seen), seen)
    mean, deviation = model.predict(
        SCORES[seen], model.whitened(POINTS[unseen], nothing(POINTS[unseen]))
    )
    assert ((mean - SCORES[unseen]) ** 2).mean() < 0.3
    within = np.abs(mean - SCORES[unseen]) < 3 * np.hypot(deviation, model.kernel.noise**0.5)
    assert within.mean() > 0.9


def test_covariances_are_positive_and_largest_with_themselves() -> None:
    kernel = learned(slice(0, 30))
    covariances = kernel(POINTS, POINTS)
    assert np.linalg.eigvalsh(covariances).min() > -1e-8
    assert np.diag(covariances) == pytest.approx(kernel.variance)
    assert covariances.max() <= kernel.variance + 1e-9


def test_rows_worked_out_before_change_nothing() -> None:
    kernel, others = learned(slice(0, 30)), POINTS[100:]
    before = posterior(kernel, slice(0, 30)).whitened(others, nothing(others))
    model = posterior(kernel, slice(0, 40))
    whole = model.whitened(others, nothing(others))
    assert model.whitened(others, before) == pytest.approx(whole, abs=1e-9)


def test_an_uncertain_target_counts_less() -> None:
    kernel, one = learned(slice(0, 30)), POINTS[50:51]
    target = np.array([2.0])
    sure, unsure = (Posterior.of(kernel, one, np.array([noise])) for noise in (0.0, 5.0))
    means = [m.predict(target, m.whitened(one, nothing(one)))[0][0] for m in (sure, unsure)]
    assert means[0] > 1.5 * means[1] > 0


def test_equal_scores_are_no_obstacle() -> None:
    kernel = learn(POINTS[:10], np.zeros(10), np.zeros(10), ENCODER.groups)
    assert np.isfinite(kernel.variance)


def test_parameters_stay_within_reach_of_what_was_expected() -> None:
    rows = slice(0, 30)
    prior = Likelihood(POINTS[rows], SCORES[rows], NONE[rows], ENCODER.groups)
    kernel = learn(POINTS[rows], 1e6 * SCORES[rows], NONE[rows], ENCODER.groups)
    most = np.exp(prior.expected + 8 * prior.spread)[-4:]
    assert (np.array([*kernel.variances, kernel.noise]) <= 1.001 * most).all()

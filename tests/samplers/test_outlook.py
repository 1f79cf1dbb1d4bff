from dataclasses import replace

import numpy as np
import pytest
from optuna.trial import TrialState

from neptune_nas.architecture.records import Architecture
from neptune_nas.samplers.history import History, PastTrial
from neptune_nas.samplers.outlook import GainEstimate, Surrogates
from neptune_nas.samplers.pool import Pool
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.targets import clip_warp, log_warp
from tests.samplers.helpers import NESTED, accuracy, cost

PROBLEM = Problem(NESTED, ("accuracy", "latency"), cost)
POOL = Pool(PROBLEM, samples=100)


def begun(number: int) -> PastTrial[Architecture]:
    """Return a trial that waits at its first rung, as slow as its number says."""
    architecture = POOL.base.architectures[number]
    rungs = {1: accuracy(architecture)}
    name, running = POOL.base.names[number], TrialState.RUNNING
    return PastTrial(number, architecture, name, None, rungs, {}, running, {1: float(number)})


def test_a_latency_that_was_measured_of_a_waiting_trial_is_taken_as_it_is() -> None:
    history = History(tuple(map(begun, range(15))), (-1.0, 1.0))
    outlook = GainEstimate(Surrogates(POOL), history)
    assert outlook.front.costs[:, 0].tolist() == [*range(15)]


def test_under_a_limit_the_best_score_counts_as_much_as_all_costs_below_it() -> None:
    limited = Problem(NESTED, ("accuracy", "flops"), cost, limited=frozenset({"flops"}))
    other = Problem(NESTED, ("accuracy", "flops"), cost, limited=frozenset({"params"}))
    ends = []
    for problem in (other, limited):
        pool = Pool(problem, samples=100)
        costs = pool.base.costs[:, 0]
        history = History(tuple(map(begun, range(15))), (-1.0, 1.0))
        front = GainEstimate(Surrogates(pool), history).front
        ends.append((front.ceiling[0] - costs.max()) / np.ptp(costs))
    assert ends == [0.0, 1.0]


def test_a_limit_on_latency_gives_room_beyond_the_slowest_trial() -> None:
    problem = replace(PROBLEM, limited=frozenset({"latency"}))
    history = History(tuple(map(begun, range(15))), (-1.0, 1.0))
    free, limited = (
        GainEstimate(Surrogates(Pool(each, samples=100)), history).front.ceiling.tolist()
        for each in (PROBLEM, problem)
    )
    assert (free, limited) == ([14.0], [28.0])


def test_gains_are_measured_in_the_view_of_the_scores() -> None:
    problem = Problem(NESTED, ("accuracy", "flops"), cost)
    pool = Pool(problem, samples=100)
    ended = tuple(
        replace(begun(i), losses=(-accuracy(each), cost(each)["flops"]), state=TrialState.COMPLETE)
        for i, each in enumerate(pool.base.architectures[:20])
    )
    history = History(ended, (-1.0, 1.0))
    raw = np.array([accuracy(entry.architecture) for entry in ended])
    for warp_of in (clip_warp, log_warp):
        outlook = GainEstimate(Surrogates(pool, warp_of), history)
        assert outlook.front.scores.tolist() == warp_of(raw)(raw).tolist()
        assert outlook.front.floor == pytest.approx(outlook.front.scores.min())

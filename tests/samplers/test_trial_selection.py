from dataclasses import replace
from itertools import pairwise

import pytest
from optuna.trial import TrialState

from neptune_nas.architecture.records import Architecture
from neptune_nas.samplers.history import History, PastTrial
from neptune_nas.samplers.pool import Pool
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.trial_selection import leading_trials, select_trials
from tests.samplers.helpers import NESTED, cost

POOL = Pool(Problem(NESTED, ("accuracy", "flops"), cost), samples=60)
ORDER = sorted(range(60), key=lambda i: cost(POOL.base.architectures[i])["flops"])


def waiting(number: int, score: float, size: int = 30) -> PastTrial[Architecture]:
    """Return a trial at rung 1 with the architecture that has this place by FLOPs."""
    row = ORDER[size]
    architecture, name = POOL.base.architectures[row], POOL.base.names[row]
    return PastTrial(number, architecture, name, None, {1: score}, {}, TrialState.RUNNING)


def finished(number: int, score: float) -> PastTrial[Architecture]:
    losses = (-score, float(number))
    return replace(waiting(number, score), losses=losses, state=TrialState.COMPLETE)


def history(*entries: PastTrial[Architecture]) -> History[Architecture]:
    return History(entries, (-1.0, 1.0))


def test_few_trials_are_all_kept() -> None:
    assert select_trials(history(*(finished(i, 0.5) for i in range(9))), 9) == {*range(9)}


def test_of_many_that_finished_half_of_those_kept_are_the_best_and_the_rest_are_spread() -> None:
    many = history(*(finished(i, 0.9 if i < 4 else 0.1 + i / 1000) for i in range(100)))
    kept = sorted(select_trials(many, 20))
    assert len(kept) == 20
    assert kept[:4] == [0, 1, 2, 3]
    assert max(b - a for a, b in pairwise(kept)) <= 11


def test_those_that_lead_at_a_rung_fill_the_half_of_the_best() -> None:
    many = history(*(waiting(i, 0.5) for i in range(90)), finished(90, 0.1))
    leaders = [90, *range(89, 70, -2)]
    assert {90, *leaders[1:10]} <= select_trials(many, 20, leaders)
    assert leaders[10] not in select_trials(many, 20, leaders)


def test_the_most_accurate_and_the_smallest_lead() -> None:
    trials = [waiting(i, 0.5 + i / 1000, size=30 + i) for i in range(20)]
    found = leading_trials(history(*trials, waiting(20, 0.9, 40), waiting(21, 0.1, 0)), POOL, 3)
    assert {20, 21} <= {*found}


def test_what_counts_is_the_first_score_and_not_how_far_a_trial_came() -> None:
    ahead = replace(waiting(0, 0.3), rungs={0: 40.0, 1: 0.3, 3: 0.8})
    assert leading_trials(history(ahead, waiting(1, 0.4)), POOL, 1) == [1]


def test_failures_and_what_has_only_a_proxy_lead_nothing() -> None:
    failed = replace(waiting(0, 0.9), state=TrialState.FAIL)
    proxy = replace(waiting(1, 0.9), rungs={0: 99.0})
    assert leading_trials(history(failed, proxy, waiting(2, 0.1)), POOL, 3) == [2]
    assert leading_trials(history(failed), POOL, 3) == []


@pytest.mark.parametrize(("ahead", "first"), [({1: 1.0}, [0, 1]), ({}, [0, 2])])
def test_a_latency_counts_where_it_is_known_of_all(
    ahead: dict[int, float], first: list[int]
) -> None:
    timed = Pool(Problem(NESTED, ("accuracy", "latency"), cost), samples=20)
    slow = [replace(waiting(i, 0.9 - i / 100), ahead={1: 9.0}) for i in (0, 2)]
    quick = replace(waiting(1, 0.5), ahead=ahead)
    assert sorted(leading_trials(history(*slow, quick), timed, 2)) == first

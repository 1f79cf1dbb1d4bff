from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from optuna.trial import TrialState

from neptune_nas.architecture.records import Architecture
from neptune_nas.samplers.classic import RandomSearch
from neptune_nas.samplers.history import History, HistoryReader
from neptune_nas.samplers.pool import Pool
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import SpaceSampler
from neptune_nas.samplers.surrogate import Surrogate, learned_at
from neptune_nas.samplers.targets import targets
from tests.samplers.helpers import NESTED, accuracy, cost, make_study, step

PROBLEM = Problem(NESTED, ("accuracy", "flops"), cost)
ACCURACY = partial(targets, objective=0)


def searched(count: int, running: int = 0) -> History[Architecture]:
    """Return a random search so far."""
    study = make_study(SpaceSampler(PROBLEM, RandomSearch(PROBLEM)))
    for _ in range(count):
        step(study, NESTED)
    for _ in range(running):
        NESTED.suggest(study.ask())
    now = study.ask()
    return HistoryReader(PROBLEM).read(study, study.get_trials(deepcopy=False)[now.number])


HISTORY = searched(60)
POOL = Pool(PROBLEM, samples=150)


def first(count: int) -> History[Architecture]:
    return History(HISTORY.entries[:count], HISTORY.turns)


def test_predictions_follow_the_truth() -> None:
    surrogate = Surrogate(POOL, ACCURACY)
    mean, deviation = surrogate.of_base(surrogate.fit(HISTORY))
    truth = np.array([accuracy(architecture) for architecture in POOL.base.architectures])
    assert np.corrcoef(mean, truth)[0, 1] > 0.8
    assert (deviation > 0).all()


def test_what_was_kept_between_asks_changes_nothing() -> None:
    kept = Surrogate(POOL, ACCURACY)
    for count in range(30, 45):
        going_on = kept.of_base(kept.fit(first(count)))
        anew = Surrogate(POOL, ACCURACY)
        assert np.allclose(going_on, anew.of_base(anew.fit(first(count))), atol=1e-9)


def test_the_base_is_predicted_as_any_other_point() -> None:
    surrogate = Surrogate(POOL, ACCURACY)
    fit = surrogate.fit(HISTORY)
    assert np.allclose(surrogate.of_base(fit), fit.at(POOL.base.points), atol=1e-9)


def test_running_trials_leave_means_and_take_doubt() -> None:
    history = searched(30, running=3)
    surrogate = Surrogate(POOL, ACCURACY)
    ended = History(history.entries[:30], history.turns)
    points, _ = POOL.tried(history.entries[30:])
    before, after = (surrogate.fit(known).at(points) for known in (ended, history))
    assert after[0] == pytest.approx(before[0], abs=1e-3)
    assert (after[1] < before[1]).all()


def at_a_rung(history: History[Architecture], gone_on: int = 0) -> History[Architecture]:
    """Return the trials as they wait at rung 1, all but the first `gone_on`, which are finished."""
    entries = (
        replace(
            entry,
            rungs={1: accuracy(entry.architecture) - 0.2},
            losses=entry.losses if i < gone_on else None,
            state=TrialState.COMPLETE if i < gone_on else TrialState.RUNNING,
        )
        for i, entry in enumerate(history.entries)
    )
    return History(tuple(entries), history.turns)


def test_trials_that_wait_at_a_rung_are_learned_from() -> None:
    surrogate = Surrogate(POOL, ACCURACY)
    mean, _ = surrogate.of_base(surrogate.fit(at_a_rung(HISTORY)))
    truth = np.array([accuracy(architecture) for architecture in POOL.base.architectures])
    assert np.corrcoef(mean, truth)[0, 1] > 0.8


def test_the_kernel_stays_when_a_trial_goes_on_to_the_next_rung() -> None:
    surrogate = Surrogate(POOL, ACCURACY)
    kernels = {
        id(surrogate.fit(at_a_rung(HISTORY, gone_on)).posterior.kernel) for gone_on in (0, 1, 5)
    }
    assert len(kernels) == 1


def test_the_kernel_is_learned_from_what_had_ended_when_it_was_due() -> None:
    assert [learned_at(ended) for ended in (30, 31, 32, 33)] == [30, 30, 30, 33]
    assert all(ended - learned_at(ended) <= 30 for ended in range(4, 2_000))


def test_what_leads_at_a_rung_is_predicted_from() -> None:
    fit = Surrogate(POOL, ACCURACY, most=20).fit(at_a_rung(HISTORY))
    early = HISTORY.entries[: learned_at(60)]
    most_accurate = max(early, key=lambda entry: accuracy(entry.architecture))
    assert most_accurate.name in {name for name, _ in fit.told}
    assert len(fit.told) == 20 + 60 - learned_at(60)


def test_of_many_that_have_only_a_proxy_some_are_kept() -> None:
    proxies = (
        entry if i % 6 == 0 else replace(entry, losses=None, state=TrialState.RUNNING)
        for i, entry in enumerate(HISTORY.entries)
    )
    entries = (replace(e, rungs={0: accuracy(e.architecture)}) for e in proxies)
    fit = Surrogate(POOL, ACCURACY, most=20).fit(History(tuple(entries), HISTORY.turns))
    latest = HISTORY.entries[6 * (learned_at(10) - 1)].number
    assert len(fit.told) == 20 + 60 - 1 - latest

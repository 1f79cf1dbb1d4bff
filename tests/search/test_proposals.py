from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import BaseSampler, RandomSampler

from neptune_nas.errors import OwnCodeError
from neptune_nas.metrics.counted import Cost
from neptune_nas.search.coordinator import Coordinator
from tests.study.builders import coordinator_on, question, store_in
from tests.study.fakes import Arithmetic, InlineEngine, failing

RUNGS = (1, 3)


def searched(folder: Path, *objectives: str) -> Coordinator:
    """Six trials, of which four waited at the first rung for good."""
    coordinator = coordinator_on(store_in(folder), question(rungs=RUNGS, objectives=objectives), 6)
    coordinator.measure = lambda _: {**Cost(7, 7, 7).values, "latency": 2.5}
    coordinator.run(InlineEngine(Arithmetic()))
    return coordinator


def again(folder: Path, *objectives: str) -> Coordinator:
    return coordinator_on(store_in(folder), question(rungs=RUNGS, objectives=objectives))


@pytest.mark.parametrize("measured", ["accuracy", "loss"])
def test_samplers_are_told_the_scored_objective_below_the_last_rung_also_after_a_restart(
    tmp_path: Path, measured: str
) -> None:
    told = searched(tmp_path, measured, "flops").proposer.study.get_trials()
    expected = [{1: t.scores[0].values[measured]} for t in store_in(tmp_path).trials()]
    assert [t.intermediate_values for t in told] == expected
    anew = again(tmp_path, measured, "flops").proposer.study.get_trials()
    assert [t.intermediate_values for t in anew] == expected


def test_samplers_are_told_a_latency_when_a_trial_begins_also_after_a_restart(
    tmp_path: Path,
) -> None:
    told = searched(tmp_path, "accuracy", "latency").proposer.study.get_trials()
    assert [t.user_attrs for t in told] == [{"latency": 2.5}] * 6
    anew = again(tmp_path, "accuracy", "latency").proposer.study.get_trials()
    assert [t.user_attrs for t in anew] == [{"latency": 2.5}] * 6


def test_a_score_that_was_written_just_before_a_crash_is_told(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    method = "set_trial_intermediate_value"
    store = replace(store, storage=failing(store.storage, method, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        coordinator_on(store, question(rungs=RUNGS), 6).run(InlineEngine(Arithmetic(), 1))
    anew = coordinator_on(store_in(tmp_path), question(rungs=RUNGS)).proposer.study.get_trials()
    score = store_in(tmp_path).trials()[0].scores[0]
    assert anew[0].intermediate_values == {1: score.main}


class Refuses(RandomSampler):
    """An Optuna sampler that takes no second objective, as some do."""

    def infer_relative_search_space(self, *_: Any) -> Any:
        raise ValueError("one objective at most")


class Lacks(RandomSampler):
    """One that finds out late what it needs."""

    def sample_independent(self, *_: Any) -> Any:
        raise ModuleNotFoundError("No module named 'cmaes'")


@pytest.mark.parametrize(
    ("sampler", "told"),
    [
        (Refuses(), r"sampler 'Refuses' failed in line \d+: ValueError: one objective at most"),
        (Lacks(), r"sampler 'Lacks' failed in line \d+: ModuleNotFoundError: No module named 'cm"),
    ],
)
def test_what_a_sampler_of_optunas_kind_fails_with_is_told(
    tmp_path: Path, sampler: BaseSampler, told: str
) -> None:
    coordinator = coordinator_on(store_in(tmp_path), question(), 2, sampler=sampler)
    with pytest.raises(OwnCodeError, match=told):
        coordinator.run(InlineEngine(Arithmetic()))

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from neptune_nas.architecture.records import Architecture
from neptune_nas.metrics.registry import metric
from neptune_nas.metrics.score import Score
from neptune_nas.search.coordinator import Coordinator
from neptune_nas.study.objectives import rung_losses
from neptune_nas.study.trial import State
from tests.study.builders import coordinator_on, frozen_in, make_trial, question, store_in
from tests.study.fakes import Arithmetic, InlineEngine

ASKED = question(rungs=(0, 1), objectives=("accuracy", "flops"), proxy="synflow")


@dataclass(frozen=True, slots=True)
class Below:
    """A proxy at fidelity 0 that prefers narrow networks, and `Arithmetic` above."""

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        if fidelity:
            return Arithmetic()(architecture, fidelity, seed)
        width = sum(stage.width for stage in architecture.stages)
        return Score(0, seed=seed, proxy=1e6 - width)


def searched(folder: Path, sampler: BaseSampler | None = None, trials: int = 9) -> Coordinator:
    coordinator = coordinator_on(store_in(folder), ASKED, trials, sampler=sampler)
    coordinator.run(InlineEngine(Below()))
    return coordinator


def test_a_third_goes_on_from_the_proxy_to_training(tmp_path: Path) -> None:
    searched(tmp_path)
    states = Counter(trial.state for trial in store_in(tmp_path).trials())
    assert states == {State.FINISHED: 3, State.PRUNED: 6}


def test_a_rung_is_compared_by_the_proxy() -> None:
    trial = make_trial(0, 0.9, 500)
    score = Score(0, proxy=7.0)
    aims = tuple(map(metric, ("accuracy", "loss", "flops")))
    assert rung_losses(aims, trial, [score]) == (-7.0, -7.0, 500.0)
    assert rung_losses(aims, trial, trial.scores) == (-0.9, 1.0, 500.0)


def test_what_has_only_a_proxy_has_no_accuracy() -> None:
    trial = replace(make_trial(0, None, 500), scores=(Score(0, proxy=7.0),))
    assert trial.score is None
    assert trial.scores_at(0)[0].rank_value == 7.0


def test_the_database_holds_no_proxy_as_an_intermediate_value(tmp_path: Path) -> None:
    searched(tmp_path)
    assert all(not frozen.intermediate_values for frozen in frozen_in(store_in(tmp_path)))


def test_our_samplers_are_told_a_proxy_as_rung_0_also_after_a_restart(tmp_path: Path) -> None:
    told = searched(tmp_path).proposer.study.get_trials()
    stored = store_in(tmp_path).trials()
    assert [t.intermediate_values for t in told] == [{0: t.scores[0].proxy} for t in stored]
    again = coordinator_on(store_in(tmp_path), ASKED).proposer.study.get_trials()
    assert [t.intermediate_values for t in again] == [t.intermediate_values for t in told]


def test_optunas_samplers_are_never_told_a_proxy(tmp_path: Path) -> None:
    sampler = optuna.samplers.RandomSampler(seed=0)
    told = searched(tmp_path, sampler).proposer.study.get_trials()
    assert all(not trial.intermediate_values for trial in told)
    assert sum(t.state == TrialState.FAIL for t in told) >= 6


def test_a_proxy_is_never_an_objective(tmp_path: Path) -> None:
    told = searched(tmp_path).proposer.study.get_trials()
    complete = [t for t in told if t.state == TrialState.COMPLETE]
    assert sorted(t.values[0] > 0 for t in complete) == [True] * 3
    assert sum(t.state == TrialState.PRUNED for t in told) == 6


def test_a_study_with_a_proxy_goes_on_after_a_restart(tmp_path: Path) -> None:
    searched(tmp_path, trials=5)
    searched(tmp_path, trials=9)
    assert len({trial.key for trial in store_in(tmp_path).trials()}) == 9

import signal
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import optuna
import pytest

from neptune_nas.architecture.codec import key
from neptune_nas.engine.engine import Result
from neptune_nas.errors import StudyError
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.metrics.score import Score
from neptune_nas.search.coordinator import StopSearch
from neptune_nas.study.trial import State
from tests.study.builders import FEW, SPACE, coordinator_on, frozen_in, question, store_in
from tests.study.fakes import Arithmetic, CrashingStore, InlineEngine, Together


class CrashError(Exception):
    """Stands for `kill -9`: nothing after it runs."""


def crash_at(call: int, engine: InlineEngine) -> None:
    def check(made: int) -> None:
        if made == call:
            raise CrashError

    engine.before_call = check


def keys_of_the_first(trials: int, folder: Path) -> list[str]:
    """Return what a search begins with, whatever comes of it."""
    folder.mkdir()
    coordinator_on(store_in(folder), question(), trials).run(InlineEngine(Arithmetic()))
    return [trial.key for trial in store_in(folder).trials()]


def timed(
    measure: Callable[[Any], Mapping[str, float]],
) -> Callable[[Any], Mapping[str, float]]:
    """Return the same costs, and a latency that follows from them."""

    def measured(architecture: Any) -> Mapping[str, float]:
        costs = measure(architecture)
        return {**costs, "latency": costs["flops"] / 1e6}

    return measured


def test_it_finishes_exactly_as_many_trials_as_asked(tmp_path: Path) -> None:
    coordinator = coordinator_on(store_in(tmp_path), question(), 12)
    coordinator.run(InlineEngine(Arithmetic()))
    assert Counter(t.state for t in store_in(tmp_path).trials()) == {State.FINISHED: 12}


def test_results_that_came_with_the_last_one_watched_are_kept(tmp_path: Path) -> None:
    class Pairs(InlineEngine):
        def wait(self, timeout: float | None = None) -> list[Result]:
            return [*super().wait(timeout), *super().wait(timeout)]

    def enough(*_: object) -> None:
        raise StopSearch

    coordinator = coordinator_on(store_in(tmp_path), question(), 12)
    coordinator.watch = enough
    coordinator.run(Pairs(Arithmetic()))
    states = Counter(t.state for t in store_in(tmp_path).trials())
    assert states == {State.FINISHED: 2, State.RUNNING: 1}


@pytest.mark.usefixtures("ctrl_c_raises")
def test_ctrl_c_that_is_held_back_is_heeded_between_two_results(tmp_path: Path) -> None:
    coordinator, engine = (
        coordinator_on(store_in(tmp_path), question(), 12),
        InlineEngine(Arithmetic()),
    )
    coordinator.watch = lambda *_: signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"^$"), ctrl_c_held():
        coordinator.run(engine)
    assert len(engine.made) == 1
    states = Counter(t.state for t in store_in(tmp_path).trials())
    assert states == {State.FINISHED: 1, State.RUNNING: 2}


def test_results_that_came_with_one_whose_watcher_fails_are_kept(tmp_path: Path) -> None:
    def crash(*_: object) -> None:
        raise CrashError

    coordinator = coordinator_on(store_in(tmp_path), question(), 12)
    coordinator.watch = crash
    with pytest.raises(CrashError, match=r"^$"):
        coordinator.run(Together(Arithmetic(), 2))
    assert [t.state for t in store_in(tmp_path).trials()] == [State.FINISHED] * 3


def test_no_architecture_is_evaluated_twice(tmp_path: Path) -> None:
    engine = InlineEngine(Arithmetic())
    coordinator_on(store_in(tmp_path), question(), 40).run(engine)
    keys = [trial.key for trial in store_in(tmp_path).trials()]
    assert len(set(keys)) == len(keys) == 40


def test_a_study_that_is_complete_makes_no_call(tmp_path: Path) -> None:
    coordinator_on(store_in(tmp_path), question(), 5).run(InlineEngine(Arithmetic()))
    engine = InlineEngine(Arithmetic())
    coordinator_on(store_in(tmp_path), question(), 5).run(engine)
    assert engine.made == []


def test_more_trials_go_on_where_the_study_ended(tmp_path: Path) -> None:
    coordinator_on(store_in(tmp_path), question(), 5).run(InlineEngine(Arithmetic()))
    engine = InlineEngine(Arithmetic())
    coordinator_on(store_in(tmp_path), question(), 8).run(engine)
    assert len(engine.made) == 3
    assert len(store_in(tmp_path).trials()) == 8


@pytest.mark.parametrize("rungs", [(1,), (1, 3, 9)])
@pytest.mark.parametrize("call", range(0, 14, 3))
def test_after_a_crash_at_any_call_no_finished_call_is_made_again(
    tmp_path: Path, call: int, rungs: tuple[int, ...]
) -> None:
    asked = question(rungs=rungs)
    first, second = InlineEngine(Arithmetic()), InlineEngine(Arithmetic())
    crash_at(call, first)
    with pytest.raises(CrashError, match=r"^$"):
        coordinator_on(store_in(tmp_path), asked, 15).run(first)
    coordinator_on(store_in(tmp_path), asked, 15).run(second)
    made = [(c.id, c.fidelity, c.seed) for c in (*first.made, *second.made)]
    assert len(made) == len(set(made))
    states = Counter(t.state for t in store_in(tmp_path).trials())
    assert sum(states.values()) == 15
    assert states[State.RUNNING] == 0


@pytest.mark.parametrize("write", range(1, 14))
@pytest.mark.parametrize("rungs", [(1,), (1, 3)])
def test_after_a_crash_at_any_write_every_trial_ends_as_it_would_have(
    tmp_path: Path, write: int, rungs: tuple[int, ...]
) -> None:
    asked, writes = question(rungs=rungs), count(1)

    def crash_at_the_write() -> None:
        if next(writes) == write:
            raise CrashError

    store = store_in(tmp_path)
    crashing = CrashingStore(store.storage, store.study_id, before_write=crash_at_the_write)
    with pytest.raises(CrashError, match=r"^$"):
        coordinator_on(crashing, asked, 6).run(InlineEngine(Arithmetic(), 1))
    coordinator_on(store_in(tmp_path), asked, 6).run(InlineEngine(Arithmetic(), 1))
    states = Counter(trial.state for trial in store_in(tmp_path).trials())
    whole = {State.FINISHED: 6} if len(rungs) == 1 else {State.FINISHED: 2, State.PRUNED: 4}
    assert states == whole


def test_patience_remembers_earlier_sessions(tmp_path: Path) -> None:
    for _ in range(2):
        coordinator = coordinator_on(store_in(tmp_path), question(), SPACE.size, patience=5)
        coordinator.run(InlineEngine(Arithmetic(), 1))
        trials = len(coordinator.trials)
    again = coordinator_on(store_in(tmp_path), question(), SPACE.size, patience=5)
    again.run(InlineEngine(Arithmetic(), 1))
    assert len(again.trials) == trials


def test_brute_force_ends_when_it_has_tried_all(tmp_path: Path) -> None:
    with pytest.warns(optuna.exceptions.ExperimentalWarning, match="BruteForceSampler"):
        sampler = optuna.samplers.BruteForceSampler(seed=0)
    coordinator = coordinator_on(
        store_in(tmp_path), question(), FEW.size + 5, sampler=sampler, space=FEW
    )
    coordinator.run(InlineEngine(Arithmetic()))
    assert coordinator.exhausted
    assert len(coordinator.trials) == FEW.size


def test_one_slot_scores_alike_whether_or_not_it_was_interrupted(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    coordinator_on(store_in(whole), question(), 10).run(InlineEngine(Arithmetic(), 1))
    for limit in (4, 10):
        coordinator_on(store_in(parts), question(), limit).run(InlineEngine(Arithmetic(), 1))
    assert store_in(whole).trials() == store_in(parts).trials()


def test_rungs_promote_a_third_and_prune_the_rest(tmp_path: Path) -> None:
    engine = InlineEngine(Arithmetic())
    coordinator_on(store_in(tmp_path), question(rungs=(1, 3, 9)), 27).run(engine)
    assert Counter(c.fidelity for c in engine.made) == {1: 27, 3: 9, 9: 3}
    states = Counter(t.state for t in store_in(tmp_path).trials())
    assert states == {State.FINISHED: 3, State.PRUNED: 24}


@pytest.mark.parametrize(
    ("limits", "measured", "early"),
    [
        ({}, ("accuracy", "flops"), 3),
        ({"seconds": 1e6}, ("accuracy", "flops"), 6),
        ({"patience": 100}, ("accuracy", "flops"), 6),
        ({}, ("loss", "flops"), 3),
        ({}, ("accuracy", "latency"), 3),
        ({}, ("accuracy", "loss"), 6),
    ],
)
def test_half_of_a_rung_goes_on_only_once_all_trials_have_begun_unless_it_may_end_before(
    tmp_path: Path, limits: dict[str, Any], measured: tuple[str, ...], early: int
) -> None:
    engine = InlineEngine(Arithmetic(), 1)
    asked = question(rungs=(1, 3), objectives=measured)
    coordinator = coordinator_on(store_in(tmp_path), asked, 18, **limits)
    coordinator.measure = timed(coordinator.measure)
    coordinator.run(engine)
    levels = [call.fidelity for call in engine.made]
    last_new = max(i for i, level in enumerate(levels) if level == 1)
    assert levels.count(3) == 6
    assert early - 1 <= levels[:last_new].count(3) <= early


def test_another_reduction_promotes_another_share(tmp_path: Path) -> None:
    engine = InlineEngine(Arithmetic())
    asked = question(rungs=(1, 3, 9), reduction=5)
    coordinator_on(store_in(tmp_path), asked, 25).run(engine)
    assert Counter(c.fidelity for c in engine.made) == {1: 25, 3: 5, 9: 1}


def test_a_single_trial_reaches_the_last_rung(tmp_path: Path) -> None:
    engine = InlineEngine(Arithmetic())
    coordinator_on(store_in(tmp_path), question(rungs=(1, 3)), 1).run(engine)
    (trial,) = store_in(tmp_path).trials()
    assert trial.state is State.FINISHED
    assert [score.fidelity for score in trial.scores] == [1, 3]


def test_lower_rungs_are_stored_as_intermediate_values(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    coordinator_on(store, question(rungs=(1, 3)), 3).run(InlineEngine(Arithmetic()))
    values = [trial.intermediate_values for trial in frozen_in(store)]
    assert all(set(steps) == {1} for steps in values)


def test_repeated_seeds_are_scored_at_the_last_rung_alone(tmp_path: Path) -> None:
    engine = InlineEngine(Arithmetic())
    asked = question(rungs=(1, 3), repeats=3)
    coordinator_on(store_in(tmp_path), asked, 3).run(engine)
    finished = [t for t in store_in(tmp_path).trials() if t.state is State.FINISHED]
    assert [len(t.scores_at(3)) for t in finished] == [3]
    assert len({score.seed for score in finished[0].scores_at(3)}) == 3


def test_a_failure_costs_its_trial_alone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    coordinator_on(store, question(), 1).run(InlineEngine(Arithmetic()))
    broken = Arithmetic(frozenset({store.trials()[0].key}))
    other = tmp_path / "other"
    other.mkdir()
    coordinator_on(store_in(other), question(), 6).run(InlineEngine(broken))
    trials = store_in(other).trials()
    assert [t.failure for t in trials if t.state is State.FAILED] == ["broken on purpose"]
    assert sum(t.state is State.FINISHED for t in trials) == 5


def test_a_search_in_which_all_fails_alike_ends_with_the_reason(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    broken = Arithmetic(frozenset(key(architecture) for architecture in SPACE))
    coordinator = coordinator_on(store, question(), 30)
    with pytest.raises(
        StudyError, match="all 10 trials failed for the same reason: broken on purpose;"
    ):
        coordinator.run(InlineEngine(broken))
    mended = coordinator_on(store, question(), 15)
    mended.run(InlineEngine(Arithmetic()))
    assert [t.state for t in store.trials()].count(State.FINISHED) == 5


def test_failures_that_differ_in_a_value_alone_are_one_reason(tmp_path: Path) -> None:
    values = count(90)

    def percent(architecture: Any, fidelity: int, seed: int) -> Score:  # noqa: ARG001  # the protocol's
        rule = "`accuracy` is a number in 0..1"
        why = f"{rule}, but returned {next(values)}."
        return Score(fidelity, seed=seed, failure=why, rule=rule)

    coordinator = coordinator_on(store_in(tmp_path), question(), 30)
    with pytest.raises(StudyError, match=r"all 10 trials failed .*, but returned 99;"):
        coordinator.run(InlineEngine(percent))
    resumed = coordinator_on(store_in(tmp_path), question(), 30)
    with pytest.raises(StudyError, match=r"all 11 trials failed .*, but returned 100;"):
        resumed.run(InlineEngine(percent))


def test_failures_of_the_users_own_words_are_no_rule(tmp_path: Path) -> None:
    values = count(90)

    def device(architecture: Any, fidelity: int, seed: int) -> Score:  # noqa: ARG001  # the protocol's
        why = f"needs a GPU, but got {next(values)} refusals"
        return Score(fidelity, seed=seed, failure=why)

    coordinator_on(store_in(tmp_path), question(), 12).run(InlineEngine(device))
    assert len(store_in(tmp_path).trials()) == 12


def test_a_search_is_not_hopeless_if_one_trial_worked_as_the_tenth_failed(tmp_path: Path) -> None:
    keys = keys_of_the_first(11, tmp_path / "first")
    broken = Arithmetic(frozenset(keys[:10]))
    coordinator = coordinator_on(store_in(tmp_path), question(), 11)
    coordinator.run(Together(broken, 10))
    states = [State.FAILED] * 10 + [State.FINISHED]
    assert [trial.state for trial in store_in(tmp_path).trials()] == states


def test_an_exhausted_space_ends_the_search(tmp_path: Path) -> None:
    coordinator = coordinator_on(store_in(tmp_path), question(), FEW.size + 5, space=FEW)
    coordinator.run(InlineEngine(Arithmetic()))
    assert coordinator.exhausted
    assert len({t.key for t in store_in(tmp_path).trials()}) == FEW.size


def test_promotions_go_on_from_an_idle_engine_after_the_space_is_exhausted(
    tmp_path: Path,
) -> None:
    one_at_a_time = InlineEngine(Arithmetic(), 0)
    coordinator = coordinator_on(
        store_in(tmp_path), question(rungs=(1, 3)), FEW.size + 5, space=FEW
    )
    coordinator.run(one_at_a_time)
    assert coordinator.exhausted
    states = Counter(trial.state for trial in store_in(tmp_path).trials())
    assert states == {State.FINISHED: FEW.size // 3, State.PRUNED: FEW.size - FEW.size // 3}


def test_patience_ends_a_search_that_finds_nothing_better(tmp_path: Path) -> None:
    coordinator = coordinator_on(store_in(tmp_path), question(), SPACE.size, patience=8)
    coordinator.run(InlineEngine(Arithmetic()))
    assert 8 <= len(coordinator.trials) < SPACE.size
    assert all(t.state is State.FINISHED for t in store_in(tmp_path).trials())


def test_patience_counts_trials_at_the_last_rung_alone(tmp_path: Path) -> None:
    for trials in (40, 50):
        coordinator = coordinator_on(store_in(tmp_path), question(rungs=(1, 3)), trials, patience=6)
        coordinator.run(InlineEngine(Arithmetic()))
        assert len(coordinator.trials) == trials


def test_patience_is_lost_at_the_last_rung_where_promotions_add_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        coordinator = coordinator_on(
            store_in(tmp_path), question(rungs=(1, 3)), SPACE.size, patience=3
        )
        coordinator.run(InlineEngine(Arithmetic(), 1))
        assert coordinator.useless >= 3
        assert len(coordinator.trials) < SPACE.size


def test_patience_does_not_count_failures(tmp_path: Path) -> None:
    keys = keys_of_the_first(12, tmp_path / "first")
    coordinator = coordinator_on(store_in(tmp_path), question(), 12, patience=4)
    coordinator.run(InlineEngine(Arithmetic(frozenset(keys[1:9])), 1))
    states = Counter(trial.state for trial in store_in(tmp_path).trials())
    assert states == {State.FAILED: 8, State.FINISHED: 4}


def test_patience_does_not_count_what_the_search_was_told_to_try(tmp_path: Path) -> None:
    slim, *dominated = sorted(SPACE, key=lambda each: Arithmetic()(each, 1, 0).main)[::-1][:9]
    coordinator = coordinator_on(
        store_in(tmp_path), question(objectives=("accuracy",)), SPACE.size, patience=4
    )
    coordinator.proposer.first.extend([slim, *dominated])
    coordinator.run(InlineEngine(Arithmetic(), 1))
    trials = store_in(tmp_path).trials()
    assert [t.given for t in trials] == [True] * 9 + [False] * (len(trials) - 9)
    assert len(trials) - 9 in (4, 5)  # one more may have begun before the last result


def test_without_time_what_runs_is_left_for_another_day(tmp_path: Path) -> None:
    coordinator = coordinator_on(store_in(tmp_path), question(), 10, seconds=0)
    coordinator.run(InlineEngine(Arithmetic()))
    assert {t.state for t in store_in(tmp_path).trials()} == {State.RUNNING}
    coordinator_on(store_in(tmp_path), question(), 10).run(InlineEngine(Arithmetic()))
    assert {t.state for t in store_in(tmp_path).trials()} == {State.FINISHED}


@pytest.mark.parametrize("rungs", [(1,), (1, 3)])
def test_any_sampler_of_optuna_works_with_two_objectives(
    tmp_path: Path, rungs: tuple[int, ...]
) -> None:
    sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=5)
    asked = question(rungs=rungs)
    coordinator_on(store_in(tmp_path), asked, 12, sampler=sampler).run(InlineEngine(Arithmetic()))
    trials = store_in(tmp_path).trials()
    assert len({t.key for t in trials}) == 12

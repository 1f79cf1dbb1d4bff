from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from optuna.trial import TrialState

from neptune_nas.architecture.records import Architecture
from neptune_nas.samplers.features import Floats
from neptune_nas.samplers.history import History, PastTrial
from neptune_nas.samplers.targets import (
    Warp,
    clip_warp,
    fence,
    fence_warp,
    log_warp,
    margins,
    targets,
)

ONE = Architecture()


def entry(
    number: int,
    score: float | None = None,
    rungs: dict[int, float] | None = None,
    state: TrialState = TrialState.COMPLETE,
    constraints: dict[str, float] | None = None,
) -> PastTrial[Architecture]:
    losses = None if score is None else (-score, 1.0)
    return PastTrial(number, ONE, str(number), losses, rungs or {}, constraints or {}, state)


def history(*entries: PastTrial[Architecture]) -> History[Architecture]:
    return History(entries, (-1.0, 1.0))


FINISHED = [entry(i, 0.5 + 0.05 * i, {1: 0.2 + 0.1 * i}) for i in range(6)]


def test_scores_are_more_is_better_in_the_order_of_the_history() -> None:
    found = targets(history(*FINISHED), 0)
    assert found.values == pytest.approx([0.5, 0.55, 0.6, 0.65, 0.7, 0.75])
    assert not found.noise.any()


def test_a_lower_rung_foretells_the_score_that_its_like_had() -> None:
    pruned = entry(6, None, {1: 0.4}, TrialState.PRUNED)
    found = targets(history(*FINISHED, pruned), 0)
    low, doubt = np.arange(0.2, 0.75, 0.1), np.var([*np.arange(0.2, 0.75, 0.1), 0.4])
    squares = ((low - 0.45) ** 2).sum()
    slope = (0.5 * squares + doubt) / (squares + doubt)  # of six points at 0.5, and one at 1
    missed = (slope - 0.5) ** 2 * squares + doubt
    unsure = 1 / 6 + 0.05**2 / (squares + doubt)
    assert found.values[-1] == pytest.approx(0.625 - 0.05 * slope)
    assert found.values[-1] == pytest.approx(0.6, abs=0.01)
    assert found.noise[-1] == pytest.approx(missed / 5 * (1 + unsure))


def test_a_rung_of_which_little_is_known_says_little() -> None:
    pruned = entry(6, None, {3: 0.4}, TrialState.PRUNED)
    found = targets(history(*FINISHED, pruned), 0)
    assert found.values[-1] == pytest.approx(0.625)
    assert found.noise[-1] == pytest.approx(np.var(found.values[:6]))


def test_before_any_trial_has_finished_rungs_stand_for_themselves() -> None:
    found = targets(history(entry(0, None, {1: 0.4}, TrialState.RUNNING)), 0)
    assert found.values == pytest.approx([0.4])


def test_a_rung_that_few_have_gone_past_foretells_by_their_mean_distance() -> None:
    waiting = [entry(i, None, {1: 0.1 * i}, TrialState.RUNNING) for i in range(2, 5)]
    found = targets(history(FINISHED[0], *waiting), 0)
    assert found.values[1:] - [0.2, 0.3, 0.4] == pytest.approx(0.5 - 0.2)
    assert (found.noise[1:] >= np.var([0.2, 0.2, 0.3, 0.4])).all()


def test_few_that_are_much_alike_turn_nothing_round() -> None:
    best = [
        entry(i, s, {1: r}) for i, (r, s) in enumerate([(0.6, 0.8), (0.62, 0.78), (0.61, 0.79)])
    ]
    waiting = [entry(3 + i, None, {1: 0.1 * i}, TrialState.RUNNING) for i in range(1, 6)]
    found = targets(history(*best, *waiting), 0)
    assert (np.diff(found.values[3:]) > 0).all()
    assert found.values[3:].max() < 0.8


def test_before_any_has_finished_a_trial_that_went_on_stands_at_its_first_rung() -> None:
    found = targets(history(*(entry(i, None, {1: 0.3}, TrialState.RUNNING) for i in range(2))), 0)
    ahead = entry(2, None, {0: 40.0, 1: 0.35, 3: 0.62}, TrialState.RUNNING)
    found = targets(history(*found.entries, ahead), 0)
    assert found.values == pytest.approx([0.3, 0.3, 0.35])


def test_an_accuracy_foretells_no_latency_before_three_trials_have_both() -> None:
    waiting = entry(6, None, {1: 0.4}, TrialState.RUNNING)
    assert targets(history(waiting), 0, alike=False).entries == ()
    found = targets(history(*FINISHED[:2], waiting), 0, alike=False)
    assert found.values[-1] == pytest.approx(0.525)


def test_a_proxy_foretells_nothing_before_a_trial_has_finished() -> None:
    assert targets(history(entry(0, None, {0: 40.0}, TrialState.PRUNED)), 0).entries == ()


def test_a_proxy_foretells_the_score_that_its_like_had_in_its_own_units() -> None:
    finished = [entry(i, 0.5 + 0.05 * i, {0: 40.0 + 2 * i}) for i in range(6)]
    found = targets(history(*finished, entry(6, None, {0: 44.0}, TrialState.PRUNED)), 0)
    assert found.values[-1] == pytest.approx(0.6, abs=0.01)
    assert found.noise[-1] < 0.001


def test_running_trials_without_a_rung_say_nothing() -> None:
    assert targets(history(entry(0, state=TrialState.RUNNING)), 0).entries == ()


def test_failures_stand_for_the_worst() -> None:
    found = targets(history(*FINISHED, entry(6, state=TrialState.FAIL)), 0)
    assert found.values[-1] == found.values.min()
    assert found.noise[-1] > 0


def test_what_was_measured_before_training_is_known_whatever_becomes_of_a_trial() -> None:
    failed, running = (
        replace(entry(6 + i, state=state), ahead={1: 4.0 + i})
        for i, state in enumerate((TrialState.FAIL, TrialState.RUNNING))
    )
    found = targets(history(*FINISHED, failed, running), 1, alike=False)
    assert found.values[-2:] == pytest.approx([-4.0, -5.0])
    assert not found.noise.any()


def test_failures_alone_say_nothing() -> None:
    assert len(targets(history(entry(0, state=TrialState.FAIL)), 0).values) == 0


def test_disasters_are_clipped_however_many() -> None:
    good = np.linspace(0.9, 0.94, 12)
    for count in (1, 4, 10):
        scores = np.concatenate([good, np.full(count, 0.1)])
        assert 0.85 < fence(scores) < 0.9


def test_ordinary_scores_are_not_clipped() -> None:
    assert fence(np.linspace(0.8, 0.93, 40)) < 0.8


SCORES = np.concatenate([np.full(4, 0.1), np.linspace(0.8, 0.9, 41)])


@pytest.mark.parametrize("warp_of", [fence_warp, clip_warp, log_warp])
def test_each_view_keeps_the_order_of_scores_and_takes_disasters_as_one(
    warp_of: Callable[[Floats], Warp],
) -> None:
    found = warp_of(SCORES)(SCORES)
    assert (np.diff(found) >= 0).all()
    assert len({*found[:4]}) == 1
    assert (np.diff(found[10:]) > 0).all()


def test_the_clipped_view_takes_the_lowest_tenth_as_one() -> None:
    scores = np.linspace(0.8, 0.9, 41)
    assert fence_warp(scores)(scores) == pytest.approx(scores)
    assert clip_warp(scores)(scores) == pytest.approx(np.maximum(scores, 0.81))


def test_the_logarithmic_view_widens_the_top_and_has_room_above_it() -> None:
    warp = log_warp(SCORES)
    low, middle, high = warp(np.array([0.85, 0.875, 0.9]))
    assert high - middle > 1.2 * (middle - low)
    assert warp.top > SCORES.max()
    assert np.isfinite(warp(np.array([SCORES.max()]))).all()


def test_a_view_carries_variances_as_it_carries_small_differences() -> None:
    warp, near = log_warp(SCORES), np.array([0.82, 0.88])
    slopes = (warp(near + 1e-6) - warp(near - 1e-6)) / 2e-6
    assert warp.noise(near, np.array([1.0, 4.0])) == pytest.approx(slopes**2 * [1.0, 4.0])
    assert clip_warp(SCORES).noise(near, np.array([1.0, 4.0])).tolist() == [1.0, 4.0]


@pytest.mark.parametrize("warp_of", [fence_warp, clip_warp, log_warp])
@pytest.mark.parametrize("scores", [[], [0.5], [0.5] * 12])
def test_a_view_of_nothing_to_tell_apart_changes_nothing(
    warp_of: Callable[[Floats], Warp], scores: list[float]
) -> None:
    assert warp_of(np.array(scores))(np.array(scores)).tolist() == scores


def test_targets_are_those_of_the_view_also_for_failures_and_predictions() -> None:
    entries = (
        *FINISHED,
        entry(6, None, {1: 0.4}, TrialState.PRUNED),
        entry(7, state=TrialState.FAIL),
    )
    plain, found = (targets(history(*entries), 0, warp_of=w) for w in (fence_warp, log_warp))
    assert found.values == pytest.approx(found.warp(plain.values))
    assert found.noise == pytest.approx(found.warp.noise(plain.values, plain.noise))


def test_margins_are_positive_where_a_constraint_is_kept() -> None:
    kept, broken = (entry(i, 0.5, constraints={"latency": v}) for i, v in enumerate((-2.0, 1.0)))
    assert margins(history(kept, broken), "latency").values == pytest.approx([2.0, -1.0])

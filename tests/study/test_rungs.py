from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import OptionError
from neptune_nas.metrics.pareto import non_dominated
from neptune_nas.study.rungs import Phase, Rungs, best_first

losses = st.dictionaries(
    st.integers(0, 99), st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=25
)


def none_promoted() -> dict[int, set[int]]:
    return {1: set(), 3: set(), 9: set()}


@pytest.mark.parametrize("levels", [(), (3, 1), (1, 1), (-1, 2)])
def test_levels_must_rise(levels: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="rising, distinct"):
        Rungs(levels)


def test_rungs_that_never_train_are_refused() -> None:
    with pytest.raises(OptionError, match="must end with at least 1 epoch"):
        Rungs((0,))


def test_a_reduction_below_two_is_refused() -> None:
    with pytest.raises(OptionError, match="reduction of at least 2"):
        Rungs((1, 3), reduction=1)


@pytest.mark.parametrize("reduction", [(3,), (3, 3, 3), ()])
def test_reductions_of_their_own_are_one_for_each_rung_but_the_last(
    reduction: tuple[int, ...],
) -> None:
    with pytest.raises(OptionError, match="one for each but the last: 2 for 1,3,9"):
        Rungs((1, 3, 9), reduction)


@pytest.mark.parametrize(
    ("levels", "reduction", "equal"),
    [((1, 3, 9), (3, 3), 3), ((1, 3), (4,), 4), ((1,), (), 3), ((1, 3, 9), (5, 2), (5, 2))],
)
def test_equal_reductions_are_one_for_all(
    levels: tuple[int, ...], reduction: tuple[int, ...], equal: int | tuple[int, ...]
) -> None:
    assert Rungs(levels, reduction) == Rungs(levels, equal)
    assert Rungs(levels, reduction).reduction == equal


def test_each_rung_sends_its_own_share_on() -> None:
    scored = {1: {n: (n / 10,) for n in range(5)}, 3: {0: (0.1,), 1: (0.2,)}, 9: {}}
    rungs, promoted = Rungs((1, 3, 9), (5, 2)), none_promoted()
    assert rungs.promotable(scored, promoted, {*range(5)}) == (0, 9)
    promoted[3].add(0)
    assert rungs.promotable(scored, promoted, {*range(5)}) == (0, 3)
    promoted[1].add(0)
    assert rungs.promotable(scored, promoted, {*range(1, 5)}) is None


def test_nothing_goes_on_before_a_whole_share_has_scored() -> None:
    scored = {1: {0: (0.1,), 1: (0.2,)}, 3: {}, 9: {}}
    assert Rungs((1, 3, 9)).promotable(scored, none_promoted(), {0, 1}) is None


def test_the_best_of_three_goes_on_to_the_next_level() -> None:
    scored = {1: {0: (0.3,), 1: (0.1,), 2: (0.2,)}, 3: {}, 9: {}}
    assert Rungs((1, 3, 9)).promotable(scored, none_promoted(), {0, 1, 2}) == (1, 3)


def test_a_trial_goes_on_only_once() -> None:
    scored = {1: {0: (0.3,), 1: (0.1,), 2: (0.2,)}, 3: {}, 9: {}}
    promoted = {1: {1}, 3: set[int](), 9: set[int]()}
    assert Rungs((1, 3, 9)).promotable(scored, promoted, {0, 2}) is None


def test_a_higher_rung_goes_first() -> None:
    three = {0: (0.3,), 1: (0.1,), 2: (0.2,)}
    scored = {1: {**three, 3: (0.0,), 4: (0.9,), 5: (0.9,)}, 3: three, 9: {}}
    promoted = {1: {0, 1, 2}, 3: set[int](), 9: set[int]()}
    assert Rungs((1, 3, 9)).promotable(scored, promoted, {0, 1, 2, 3}) == (1, 9)


def test_once_all_have_begun_the_lower_rung_goes_first() -> None:
    three = {0: (0.3,), 1: (0.1,), 2: (0.2,)}
    scored = {1: {**three, **{n: (n / 10,) for n in range(3, 12)}}, 3: three, 9: {}}
    promoted = {1: {0, 1, 2}, 3: set[int](), 9: set[int]()}
    rungs = Rungs((1, 3, 9))
    assert rungs.promotable(scored, promoted, {*range(12)}, Phase.LATE) == (3, 3)
    promoted[1].add(3)
    assert rungs.promotable(scored, promoted, {*range(12)}, Phase.LATE) == (1, 9)


def test_on_the_last_call_each_rung_sends_at_least_one_on() -> None:
    scored = {1: {7: (0.5,)}, 3: {}, 9: {}}
    assert Rungs((1, 3, 9)).promotable(scored, none_promoted(), {7}) is None
    assert Rungs((1, 3, 9)).promotable(scored, none_promoted(), {7}, is_last_call=True) == (7, 3)


def test_while_more_trials_will_come_half_as_many_go_on() -> None:
    scored = {1: {n: (n / 10,) for n in range(11)}, 3: {}, 9: {}}
    promoted = {1: {0}, 3: set[int](), 9: set[int]()}
    rungs = Rungs((1, 3, 9))
    assert rungs.promotable(scored, none_promoted(), {*range(11)}, Phase.EARLY) == (0, 3)
    assert rungs.promotable(scored, promoted, {*range(1, 11)}, Phase.EARLY) is None
    assert rungs.promotable(scored, promoted, {*range(1, 11)}) == (1, 3)


def test_a_trial_that_does_not_wait_is_passed_over() -> None:
    scored = {1: {n: (n / 10,) for n in range(6)}, 3: {}, 9: {}}
    assert Rungs((1, 3, 9)).promotable(scored, none_promoted(), {1, 2, 3}) == (1, 3)


def test_a_small_network_is_not_cut_for_being_less_accurate() -> None:
    large = {n: (-0.9 - n / 1000, 100.0 + n) for n in range(1, 6)}
    scored = {1: {0: (-0.5, 1.0), **large}, 3: {}, 9: {}}
    assert 0 in best_first(scored[1])[:2]


def test_with_a_lead_every_second_place_goes_to_the_best_in_that_objective() -> None:
    front = {0: (-0.5, 1.0), 1: (-0.6, 2.0), 2: (-0.7, 3.0)}
    points = front | {3: (-0.69, 4.0), 4: (-0.68, 5.0), 5: (-0.4, 6.0)}
    assert {*best_first(points)[:3]} == {*front}
    assert best_first(points, lead=0)[0] == 2
    assert {2, 3} < {*best_first(points, lead=0)[:3]}
    rungs, scored = Rungs((1, 3), 2), {1: points, 3: {}}
    assert rungs.promotable(scored, none_promoted(), {3, 4, 5}) is None
    assert rungs.promotable(scored, none_promoted(), {3, 4, 5}, lead=0) == (3, 3)


@given(losses)
def test_a_lead_changes_only_the_order(points: dict[int, tuple[float, float]]) -> None:
    assert sorted(best_first(points, lead=0)) == sorted(points)


@given(losses)
def test_the_order_has_each_trial_once_and_the_front_first(
    points: dict[int, tuple[float, float]],
) -> None:
    ordered = best_first(points)
    assert sorted(ordered) == sorted(points)
    numbers = sorted(points)
    front = {
        n
        for n, keep in zip(numbers, non_dominated([points[n] for n in numbers]), strict=True)
        if keep
    }
    assert set(ordered[: len(front)]) == front


@given(losses, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_when_trials_scored(
    points: dict[int, tuple[float, float]], rng: Random
) -> None:
    shuffled = list(points.items())
    rng.shuffle(shuffled)
    assert best_first(dict(shuffled)) == best_first(points)

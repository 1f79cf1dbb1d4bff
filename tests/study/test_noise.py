from dataclasses import replace
from math import hypot, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.metrics.score import Score
from neptune_nas.space.space import wilson
from neptune_nas.study.noise import (
    Noise,
    Repeats,
    accuracy_interval,
    half_width,
    interval,
    noise,
    noise_of,
    sampling_interval,
    tied_groups,
)
from tests.report.fixtures import RUNGS, plain_trial
from tests.study.builders import make_trial, question, settings

QUIET = Noise(500, 500, (0.01**2,), (1000,))


def repeated(*accuracies: float) -> list[Repeats]:
    """Networks with two seeds each, whose variance is 1e-4 times one more than their place."""
    return [Repeats(a, 1e-4 * (i + 1), 1) for i, a in enumerate(accuracies)]


def test_one_seed_a_trial_tells_nothing_of_noise() -> None:
    assert noise((plain_trial(0, 0.9, 10), plain_trial(1, 0.8, 10))) is None


def test_a_few_repeated_trials_are_pooled_over_all_accuracies() -> None:
    trials = (
        plain_trial(0, None, 10, seeds=(0.8, 0.9)),
        plain_trial(1, None, 10, seeds=(0.4, 0.5, 0.6)),
        plain_trial(2, 0.7, 10),
    )
    found = noise(trials)
    assert found is not None
    # Squares 0.005 and 0.02 over 1 + 2 degrees of freedom.
    for accuracy in (0.0, 0.5, 0.9):
        assert found.deviation(accuracy) == pytest.approx((0.025 / 3) ** 0.5)
    assert (found.degrees, found.trials, found.nearest) == ((3,), 2, 2)


def test_of_many_those_nearest_in_accuracy_count() -> None:
    found = noise_of(repeated(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9))
    assert found is not None
    assert found.nearest == 6
    assert found.degrees == (6, 6)
    assert found.deviation(0.4) == pytest.approx(sqrt(3.5e-4))  # of places 1 to 6
    assert found.deviation(0.6) == pytest.approx(sqrt(4.5e-4))  # 0.9 is nearer than 0.1
    assert found.cuts == pytest.approx((0.5,))


def test_of_very_many_the_nearest_quarter_counts() -> None:
    found = noise_of(repeated(*(i / 100 for i in range(100))))
    assert found is not None
    assert found.nearest == 25
    assert found.deviation(0.0) == pytest.approx(sqrt(13e-4))
    assert found.deviation(1.0) == pytest.approx(sqrt(88e-4))


@given(
    st.lists(st.floats(0, 1), min_size=7, max_size=40, unique=True),
    st.floats(0, 1),
    st.integers(1, 3),
)
def test_no_network_left_out_is_nearer_than_one_that_counts(
    accuracies: list[float], accuracy: float, degrees: int
) -> None:
    networks = [Repeats(a, 2.0**-i, degrees) for i, a in enumerate(accuracies)]
    found = noise_of(networks)
    assert found is not None
    ordered = sorted(networks, key=lambda each: abs(each.accuracy - accuracy))
    chosen = ordered[: found.nearest]
    if found.nearest < len(ordered):
        gap = abs(ordered[found.nearest].accuracy - accuracy) - abs(chosen[-1].accuracy - accuracy)
        if gap < 1e-9:  # as near on either side
            return
    squares = sum(each.squares for each in chosen)
    assert found.deviation(accuracy) ** 2 == pytest.approx(squares / degrees / found.nearest)


def test_the_scores_of_the_search_and_those_that_confirm_share_no_mean() -> None:
    trial = plain_trial(0, None, 10, seeds=(0.90, 0.92))
    more = tuple(Score(RUNGS[-1], {"accuracy": value, "loss": 1.0}, seed=9) for value in (0.5, 0.6))
    found = noise([replace(trial, confirmations=more)])
    assert found is not None
    assert (found.trials, found.degrees) == (1, (2,))
    assert found.variances == pytest.approx(((0.0002 + 0.005) / 2,))


def test_the_interval_is_students() -> None:
    # t of 97.5% with 9 degrees of freedom is 2.2622, in any table.
    found = Noise(1, 1, (0.1**2,), (9,)).half_width((0.5, 4))
    assert found == pytest.approx(2.2622 * 0.1 / 2, abs=1e-5)


def test_a_difference_has_both_variances_and_the_fewer_degrees_of_freedom() -> None:
    spread = Noise(8, 4, (0.03**2, 0.01**2), (20, 9), cuts=(0.5,))
    found = spread.half_width((0.9, 2), (0.4, 3))
    assert found == pytest.approx(2.2622 * sqrt(0.01**2 / 2 + 0.03**2 / 3), abs=1e-5)
    assert found == spread.half_width((0.4, 3), (0.9, 2))


def test_a_trial_with_one_seed_has_no_interval() -> None:
    assert half_width(plain_trial(0, 0.9, 10), QUIET) is None
    assert half_width(plain_trial(0, None, 10, seeds=(0.8, 0.9)), None) is None


def test_groups_open_where_the_difference_to_their_best_is_significant() -> None:
    # 1.962 x 0.01 x sqrt(2) = 0.0277 between single seeds
    assert tied_groups([0.70, 0.95, 0.93, 0.92], [1, 1, 1, 1], QUIET) == [3, 1, 1, 2]


def test_more_seeds_tell_more_apart() -> None:
    assert tied_groups([0.95, 0.93], [4, 4], QUIET) == [1, 2]


def test_good_networks_are_told_apart_where_they_are_quieter_than_bad_ones() -> None:
    spread = Noise(8, 4, (0.05**2, 0.001**2), (1000, 1000), cuts=(0.5,))
    assert tied_groups([0.95, 0.94, 0.45, 0.44], [1] * 4, spread) == [1, 2, 3, 3]


def test_an_interval_of_an_accuracy_does_not_leave_0_to_1() -> None:
    trials = (
        plain_trial(0, None, 10, seeds=(0.97, 1.0)),
        plain_trial(1, None, 10, seeds=(0.03, 0.0)),
        plain_trial(2, 0.5, 10),
    )
    spread = noise(trials)
    above, below = interval(trials[0], spread), interval(trials[1], spread)
    assert above is not None
    assert below is not None
    assert (above[1], below[0]) == (1.0, 0.0)
    assert above[0] < 0.97
    assert below[1] > 0.03
    assert interval(trials[2], spread) is None


@pytest.mark.parametrize(("right", "images"), [(0, 20), (20, 20), (228, 240), (990, 1000), (1, 2)])
def test_the_interval_of_an_accuracy_on_so_many_images_is_wilsons(right: int, images: int) -> None:
    asked = settings(question())
    asked = replace(asked, facts=replace(asked.facts, images=(100, images, 10)))
    found = sampling_interval(asked, right / images)
    assert found == pytest.approx(wilson(right, images), abs=1e-5)


def test_an_interval_on_new_images_holds_both_noises_also_of_a_single_seed() -> None:
    asked = settings(question())
    spread = Noise(2, 2, (0.01**2,), (6,))
    once, thrice = make_trial(0, 0.9, 10), make_trial(1, 0.9, 10)
    again = tuple(replace(thrice.scores[0], seed=seed) for seed in range(3))
    thrice = replace(thrice, scores=again)
    (low, _), (lower, _), (sampled, _) = (
        accuracy_interval(asked, once, spread) or (0, 0),
        accuracy_interval(asked, thrice, spread) or (0, 0),
        sampling_interval(asked, 0.9) or (0, 0),
    )
    # t = 2.4469 with 6 degrees of freedom.
    assert 0.9 - low == pytest.approx(hypot(0.9 - sampled, 2.4469 * 0.01), abs=1e-5)
    assert 0.9 - lower == pytest.approx(hypot(0.9 - sampled, 2.4469 * 0.01 / sqrt(3)), abs=1e-5)
    assert accuracy_interval(asked, once, None) == sampling_interval(asked, 0.9)

import pytest

from neptune_nas.study.noise import Noise, noise, tied_groups
from tests.report.fixtures import plain_trial


def test_one_seed_a_trial_tells_nothing_of_noise() -> None:
    assert noise((plain_trial(0, 0.9, 10), plain_trial(1, 0.8, 10))) is None


def test_noise_is_pooled_over_the_trials_with_several_seeds() -> None:
    trials = (
        plain_trial(0, None, 10, seeds=(0.8, 0.9)),
        plain_trial(1, None, 10, seeds=(0.4, 0.5, 0.6)),
        plain_trial(2, 0.7, 10),
    )
    found = noise(trials)
    assert found is not None
    # Squares 0.005 and 0.02 over 1 + 2 degrees of freedom.
    assert found.deviation == pytest.approx((0.025 / 3) ** 0.5)
    assert (found.degrees, found.trials) == (3, 2)


def test_the_interval_is_students() -> None:
    # t of 97.5% with 9 degrees of freedom is 2.2622, in any table.
    assert Noise(0.1, 9, 1).half_width(4) == pytest.approx(2.2622 * 0.1 / 2, abs=1e-5)


def test_groups_open_where_the_difference_to_their_best_is_significant() -> None:
    spread = Noise(0.01, 1000, 500)  # 1.962 x 0.01 x sqrt(2) = 0.0277 between single seeds
    assert tied_groups([0.70, 0.95, 0.93, 0.92], [1, 1, 1, 1], spread) == [3, 1, 1, 2]


def test_more_seeds_tell_more_apart() -> None:
    spread = Noise(0.01, 1000, 500)
    assert tied_groups([0.95, 0.93], [4, 4], spread) == [1, 2]

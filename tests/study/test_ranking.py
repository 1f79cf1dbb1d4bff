"""Rankings against their formulas, written out by hand."""

from dataclasses import replace
from functools import partial
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import OptionError, StudyError
from neptune_nas.metrics.counted import ADDED
from neptune_nas.metrics.registry import COSTS
from neptune_nas.space.space import wilson
from neptune_nas.study.front import contributions
from neptune_nas.study.measures import efficiency
from neptune_nas.study.ranking import knee_distances, rankings, score_floor
from neptune_nas.study.settings import Question
from neptune_nas.study.study import Study
from tests.report.fixtures import plain_results, plain_trial, timed

# Those by what is known of every trial here.
RANKINGS = [
    n for n in rankings(Question("tiny")) if n not in {cost.name for cost in COSTS} - {*ADDED}
]

accuracies = st.integers(10, 100).map(lambda percent: percent / 100)
costs = st.integers(1_000, 2_000_000)


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """One to a dozen trials of any accuracy and cost."""
    points = draw(st.lists(st.tuples(accuracies, costs), min_size=1, max_size=12))
    return plain_results(*(plain_trial(i, *point) for i, point in enumerate(points)))


@given(studies())
def test_the_most_efficient_is_not_clearly_worse_than_the_most_accurate(study: Study) -> None:
    chosen, top = study.best("efficiency"), study.best("accuracy")
    assert chosen.score is not None
    assert top.score is not None
    images, best = study.settings.facts.images[1], top.score.main
    low, _ = wilson(round(best * images), images)
    assert chosen.score.main >= best - sqrt(2) * (best - low) - 0.005  # as images are counted whole
    admitted = [s.trial for s in study.ranking("efficiency")]
    of = partial(efficiency, study.settings)
    assert of(chosen) == max(map(of, admitted))


@given(studies(), st.sampled_from(RANKINGS))
def test_places_count_up_and_values_never_get_better(study: Study, by: str) -> None:
    places = study.ranking(by)
    values = [standing.value for standing in places]
    assert [standing.place for standing in places] == list(range(1, len(places) + 1))
    assert values == sorted(values, reverse=by not in ADDED)


@given(studies())
def test_the_knee_lies_on_the_front(study: Study) -> None:
    assert study.best("knee") in study.pareto()


@given(studies())
def test_contributions_are_what_the_hypervolume_loses(study: Study) -> None:
    found = contributions(study.settings, study.ranked, study.pareto())
    for trial, value in zip(study.pareto(), found, strict=True):
        rest = [other for other in study.ranked if other is not trial]
        assert value == pytest.approx(study.hypervolume() - study.hypervolume(rest), abs=1e-9)


def test_a_floor_of_ones_own_lets_the_cheap_in() -> None:
    study = plain_results(plain_trial(0, 0.6, 1_000), plain_trial(1, 0.9, 100_000))
    assert study.best("efficiency").number == 1
    assert study.best("efficiency", min_accuracy=0.5).number == 0


def test_the_floor_is_where_the_best_ends_by_the_noise_that_is_known() -> None:
    once = plain_results(plain_trial(0, 0.6, 1_000), plain_trial(1, 0.9, 100_000))
    floor = score_floor(once.settings, once.ranked)
    # Wilson's interval of 0.9 on 288 images begins at 0.8599.
    assert floor.value == pytest.approx(0.9 - sqrt(2) * (0.9 - 0.8599), abs=1e-4)
    assert floor.why == "not clearly worse than the best, given the noise of the validation images"
    seeds = (0.89, 0.90, 0.91)
    few = plain_results(*(plain_trial(i, None, 10_000, seeds=seeds) for i in range(2)))
    floor = score_floor(few.settings, few.ranked)  # 4 degrees of freedom say little
    assert floor.why == "not clearly worse than the best, given the noise of the validation images"
    enough = plain_results(*(plain_trial(i, None, 10_000, seeds=seeds) for i in range(3)))
    floor = score_floor(enough.settings, enough.ranked)
    # Deviation 0.01 with 6 degrees of freedom, t = 2.4469, of two means of three seeds each.
    assert floor.value == pytest.approx(0.90 - 2.4469 * 0.01 * sqrt(2 / 3), abs=1e-4)
    assert floor.why == "not clearly worse than the best, given the noise between seeds"
    facts = replace(once.settings.facts, images=(0, 0, 0))
    floor = score_floor(replace(once.settings, facts=facts), once.ranked)
    assert floor.value == pytest.approx(0.85)
    assert floor.why == "5 points below the best"


def test_the_knee_is_the_point_farthest_above_the_line_between_the_ends() -> None:
    # In (log10 cost, accuracy): ends (3, 0.5) and (5, 0.9); the middle one is 0.25 above the line
    # in scaled accuracy, so 0.25 / sqrt(2) from it.
    points = [(0.5, 500), (0.8, 5_000), (0.9, 50_000)]
    study = plain_results(*(plain_trial(i, *point) for i, point in enumerate(points)))
    assert study.best("knee").number == 1
    found = knee_distances(study.settings.question, study.ranked, study.pareto())
    assert found == pytest.approx([0, 0.25 / sqrt(2), 0])


@pytest.mark.parametrize("points", [[(0.7, 500)], [(0.5, 500), (0.7, 5_000)]])
def test_without_a_bend_the_knee_is_the_most_accurate(points: list[tuple[float, int]]) -> None:
    study = plain_results(*(plain_trial(i, *point) for i, point in enumerate(points)))
    assert study.best("knee").number == len(points) - 1


def test_repeated_seeds_give_the_mean_its_interval_and_tied_groups() -> None:
    study = plain_results(
        plain_trial(0, None, 10_000, seeds=(0.90, 0.92)),
        plain_trial(1, None, 10_000, seeds=(0.91, 0.93)),
        plain_trial(2, None, 10_000, seeds=(0.50, 0.52)),
    )
    first, second, third = study.ranking("accuracy")
    assert first.trial.number == 1
    assert first.score == pytest.approx(0.92)
    # Pooled deviation 0.01414 with 3 degrees of freedom, t = 3.1824.
    assert first.high == pytest.approx(0.92 + 3.1824 * 0.0141421 / sqrt(2), abs=1e-5)
    assert first.low == pytest.approx(0.92 - 3.1824 * 0.0141421 / sqrt(2), abs=1e-5)
    assert [s.group for s in (first, second, third)] == [1, 1, 2]


def test_a_study_without_scores_has_nothing_to_rank() -> None:
    with pytest.raises(StudyError, match=r"'plain' has no trial to rank.*1 failed"):
        plain_results(plain_trial(0, None, 10)).best("efficiency")


def test_a_floor_above_all_is_refused_with_the_best() -> None:
    with pytest.raises(StudyError, match=r"at least 0\.99: the best is 0\.9000; lower"):
        plain_results(plain_trial(0, 0.9, 10)).best("accuracy", min_accuracy=0.99)


def test_ranking_by_a_latency_that_nobody_measured_is_refused() -> None:
    with pytest.raises(StudyError, match="measured no latency to rank by: name it"):
        plain_results(plain_trial(0, 0.9, 10)).ranking("latency")


def test_a_ranking_by_what_no_table_says_is_refused() -> None:
    study = plain_results(replace(plain_trial(0, 0.9, 10), values={"flops": 20, "macs": 10}))
    assert study.best("efficiency").number == 0
    with pytest.raises(StudyError, match="cannot be ranked by params: no trial has all the cost"):
        study.ranking("params")


@pytest.mark.parametrize(
    ("objectives", "by"),
    [
        (("accuracy",), "accuracy"),
        (("loss",), "accuracy"),
        (("accuracy", "flops"), "efficiency"),
        (("latency", "accuracy"), "efficiency"),
    ],
)
def test_unless_said_the_objectives_say_the_ranking(objectives: tuple[str, ...], by: str) -> None:
    points = [(0.88, 10), (0.9, 5_000), (0.89, 500)]
    trials = (timed(plain_trial(i, *point), i + 1.0) for i, point in enumerate(points))
    study = plain_results(*trials, objectives=objectives)
    assert study.ranking() == study.ranking(by)
    assert study.ranking("accuracy") != study.ranking("efficiency")


def test_where_the_cost_is_latency_the_quickest_of_equals_is_first() -> None:
    slim, quick = plain_trial(0, 0.9, 100), plain_trial(1, 0.9, 1_000)
    trials = (timed(slim, 4.0), timed(quick, 2.0), plain_trial(2, 0.9, 1))
    by_time = plain_results(*trials, objectives=("accuracy", "latency")).ranking()
    assert [(s.trial.number, s.value) for s in by_time] == [(1, 0.4), (0, 0.2)]
    assert plain_results(*trials).best().number == 2


def test_an_unknown_ranking_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError, match="did you mean 'efficiency'"):
        plain_results(plain_trial(0, 0.9, 10)).ranking("eficiency")

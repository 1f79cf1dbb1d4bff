from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import OptionError
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.registry import CLASSIFICATION, Metric, metric
from neptune_nas.metrics.score import Score
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.objectives import directions, losses, objectives_in, value_of
from neptune_nas.study.progress import Tracker, is_complete, progress_of
from neptune_nas.study.read import ledger_of
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State, Trial
from tests.study.builders import make_trial, question, settings

pairs = st.lists(
    st.tuples(st.floats(0.11, 0.99), st.integers(2, 4_000_000)), min_size=1, max_size=8
)


def study_of(*trials: Trial, total: int = 10) -> Study:
    return Study(Path("x"), settings(question(), total), trials, Ledger())


@given(pairs)
def test_no_trial_beats_one_on_the_front(points: list[tuple[float, int]]) -> None:
    trials = [make_trial(i, accuracy, flops) for i, (accuracy, flops) in enumerate(points)]
    study = study_of(*trials)
    for member in study.pareto():
        assert member.score is not None
        assert not any(
            other.score is not None
            and other.score.main >= member.score.main
            and other.values["flops"] <= member.values["flops"]
            and (other.score.main, other.values["flops"])
            != (member.score.main, member.values["flops"])
            for other in trials
        )


def test_a_dataframe_has_a_row_for_each_trial_that_is_asked_for() -> None:
    study = study_of(*(make_trial(i, 0.5 + i / 10, 100 * (i + 1)) for i in range(4)))
    some = study.trials[2:0:-1]
    assert study.to_dataframe()["number"].tolist() == [0, 1, 2, 3]
    assert study.to_dataframe(some)["number"].tolist() == [2, 1]
    assert study.to_dataframe(())["number"].tolist() == []


def test_a_dataframe_of_some_trials_knows_the_front_of_all() -> None:
    study = study_of(make_trial(0, 0.9, 100), make_trial(1, 0.8, 200))
    assert study.to_dataframe(study.trials[1:])["pareto"].tolist() == [False]


@given(pairs)
def test_another_trial_never_shrinks_the_hypervolume(points: list[tuple[float, int]]) -> None:
    trials = [make_trial(i, accuracy, flops) for i, (accuracy, flops) in enumerate(points)]
    volumes = [study_of(*trials[: n + 1]).hypervolume() for n in range(len(trials))]
    assert all(before <= after + 1e-12 for before, after in pairwise(volumes))
    assert 0 <= volumes[-1] <= 1


def test_one_trial_has_the_hypervolume_of_its_rectangle() -> None:
    # Reference (0.1, 5 MFLOPs): (0.55 - 0.1) / 0.9 high and (5 - 1) / 5 wide.
    study = study_of(make_trial(0, 0.55, 1_000_000))
    assert study.hypervolume() == pytest.approx(0.5 * 0.8)


def test_a_trial_below_the_last_rung_is_not_ranked() -> None:
    assert study_of(make_trial(0, 0.5, 100, fidelity=3)).ranked == ()


def test_repeated_seeds_count_by_their_mean() -> None:
    scores = (
        Score(1, {"accuracy": 0.4, "loss": 1.0}, seed=1),
        Score(1, {"accuracy": 0.6, "loss": 2.0}, seed=2),
    )
    trial = Trial(0, make_trial(0, None, 10).architecture, "k", Cost(1, 1, 1).values, scores=scores)
    assert trial.score is not None
    assert trial.score.main == pytest.approx(0.5)
    assert trial.score.values["loss"] == pytest.approx(1.5)


def test_the_ledger_counts_epochs_flops_and_failures() -> None:
    failed = Trial(
        1,
        make_trial(1, None, 10).architecture,
        "k",
        Cost(50, 1, 1).values,
        scores=(Score(1, seconds=2.0, failure="diverged"),),
        failure="diverged",
    )
    ledger = ledger_of((make_trial(0, 0.5, 100), failed), 1_000, {"duplicates": 4})
    assert ledger.epochs == 1
    assert ledger.flops_trained == 3 * 100 * 1_000
    assert ledger.failures == {"diverged": 1}
    assert ledger.duplicates == 4


def test_overhead_is_the_share_of_time_not_spent_in_evaluations() -> None:
    assert Ledger(worker_seconds=9.0, slot_seconds=10.0).overhead == pytest.approx(0.1)
    assert Ledger().overhead == 0.0


def test_progress_knows_what_is_left() -> None:
    ends = [timed(make_trial(n, 0.5, 100), 0, 10.0 + 5 * n) for n in range(3)]
    study = study_of(*ends, make_trial(3, None, 100), total=7)
    progress = progress_of(study, now=24.0)
    assert (progress.done, progress.total, progress.running) == (3, 7, 1)
    assert progress.best_score == 0.5
    assert progress.seconds_left == pytest.approx(4 * (24.0 - 10.0) / 2)
    assert not is_complete(study)


def timed(trial: Trial, worker: int, end: float) -> Trial:
    """Return the trial, its last score by a worker at a time."""
    *before, last = trial.scores
    last = replace(last, worker=worker, started=end - 1.0, seconds=1.0)
    return replace(trial, scores=(*before, last))


def test_the_pace_on_disk_is_that_of_the_last_results_however_many_workers_there_are() -> None:
    """Two rounds of 40 workers and a result more, a while after 80 slow results of one worker."""
    slow = [timed(make_trial(n, 0.5, 100), 0, 1_000.0 * n) for n in range(80)]
    rounds = [(n % 40, end) for n, end in enumerate([90_100.0] * 40 + [90_110.0] * 40)]
    fast = [timed(make_trial(80 + n, 0.5, 100), *each) for n, each in enumerate(rounds)]
    study = study_of(*slow, *fast, timed(make_trial(160, 0.5, 100), 0, 90_120.0), total=201)
    assert progress_of(study, now=90_120.0).seconds_left == pytest.approx(40 * 20.0 / 41)


def test_a_pause_between_two_sessions_is_no_part_of_the_pace_on_disk() -> None:
    ends = [0.0, 2.0, 4.0, 90_100.0, 90_110.0]
    before = study_of(*(timed(make_trial(n, 0.5, 100), 0, end) for n, end in enumerate(ends)))
    study = replace(before, ledger=Ledger(began=90_000.0))
    assert progress_of(study, now=90_110.0).seconds_left == pytest.approx(5 * 10.0)


def test_a_study_of_more_trials_than_are_asked_for_by_now_has_all_of_them() -> None:
    study = study_of(make_trial(0, 0.5, 100), make_trial(1, None, 100), total=1)
    progress = progress_of(study, now=10.0)
    assert (progress.done, progress.total) == (1, 2)


def test_a_tracker_has_no_pace_before_two_results() -> None:
    trial = make_trial(0, None, 10)
    tracker = Tracker(settings(question()))
    assert tracker.progress(1, trial).seconds_left is None


def test_trials_of_earlier_sessions_say_nothing_of_the_pace() -> None:
    earlier = make_trial(0, 0.5, 100)
    tracker = Tracker(settings(question()), [earlier])
    progress = tracker.progress(1, earlier)
    assert (progress.done, progress.seconds_left) == (1, None)


def left_after(ends: list[tuple[int, float]], total: int = 10) -> list[float | None]:
    """Return the time left that is told as each result comes: of which worker, and when."""
    clock = iter([end for _, end in ends])
    tracker = Tracker(settings(question(), trials=total), clock=lambda: next(clock))
    trials = [timed(make_trial(n, 0.5, 100), *each) for n, each in enumerate(ends)]
    found = (tracker.progress(n + 1, trial) for n, trial in enumerate(trials))
    return [progress.seconds_left for progress in found]


def test_the_start_of_the_workers_is_no_part_of_the_pace() -> None:
    assert left_after([(0, 100.0), (0, 102.0), (0, 106.0)]) == [None, 8 * 2.0, 7 * 3.0]


def test_a_pace_is_told_when_each_worker_has_a_second_result_on_average() -> None:
    ends = [(0, 100.0), (1, 100.5), (0, 102.5), (1, 102.5), (1, 104.5), (0, 104.5)]
    assert left_after(ends) == [None, None, None, 6 * 1.0, 5 * (4 / 3), 4 * 1.0]


def test_a_worker_that_comes_later_begins_the_pace_anew() -> None:
    ends = [(0, 1.0), (0, 2.0), (1, 3.0), (0, 4.0), (1, 5.0)]
    assert left_after(ends) == [None, 8 * 1.0, None, None, 5 * 1.0]


def test_a_promotion_gains_no_trial() -> None:
    clock = iter([1.0, 2.0, 3.0])
    tracker = Tracker(settings(question(rungs=(1, 3)), trials=4), clock=lambda: next(clock))
    first, second = (timed(make_trial(n, 0.5, 100), 0, 1.0) for n in range(2))
    promoted = replace(first, scores=(*first.scores, replace(first.scores[0], fidelity=3)))
    tracker.progress(1, first)
    assert tracker.progress(1, promoted).seconds_left is None
    assert tracker.progress(2, second).seconds_left == 2 * 2.0


def test_a_tracker_counts_as_a_study_on_disk_does() -> None:
    """One result after the other, the front alone kept, is what all trials at once come to."""
    ends = [
        *(make_trial(n, (n * 7 % 10) / 10, 100 + 37 * (n * 3 % 10)) for n in range(10)),
        replace(make_trial(10, 0.9, 100), state=State.PRUNED),
        replace(make_trial(11, None, 100), state=State.FAILED),
        make_trial(12, None, 100),
    ]
    study, tracker = study_of(*ends, total=20), Tracker(settings(question(), trials=20))
    for trial in ends:
        found = tracker.progress(len(ends), trial)
    expected = progress_of(study, now=0.0)
    names = ("done", "total", "running", "failed", "best_score", "hypervolume")
    assert [getattr(found, n) for n in names] == [getattr(expected, n) for n in names]
    assert found.hypervolume == pytest.approx(study.hypervolume())
    assert found.newest is ends[-1]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "need accuracy or loss"),
        (("flops",), "need accuracy or loss"),
        (("accuracy", "accuracy"), "must differ"),
        (("accuray",), "did you mean 'accuracy'"),
    ],
)
def test_objectives_that_cannot_be_searched_are_refused(
    names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        objectives_in(names, CLASSIFICATION)


def test_a_metric_of_an_evaluators_own_can_be_an_objective() -> None:
    f1 = Metric("f1", "F1", "share", "more", "scored")
    assert objectives_in(("f1", "flops"), (f1,)) == (f1, metric("flops"))
    with pytest.raises(OptionError, match="need f1, or there is nothing to search for"):
        objectives_in(("flops",), (f1,))
    with pytest.raises(OptionError, match=r"objective 'accuracy' is unknown: .*f1"):
        objectives_in(("accuracy", "flops"), (f1,))


def test_accuracy_goes_up_and_all_else_down() -> None:
    accuracy, loss, flops = map(metric, ("accuracy", "loss", "flops"))
    assert directions((accuracy, loss, flops)) == ["maximize", "minimize", "minimize"]
    assert losses((accuracy, flops), (0.9, 5.0)) == (-0.9, 5.0)


def test_what_was_not_measured_is_as_bad_as_can_be() -> None:
    trial = make_trial(0, None, 2)
    assert value_of(metric("accuracy"), trial) == float("-inf")
    assert value_of(metric("latency"), trial) == float("inf")
    assert value_of(metric("flops"), trial) == 2.0


def test_a_study_is_short_in_a_notebook() -> None:
    study = study_of(make_trial(0, 0.5, 100), make_trial(1, None, 100))
    assert repr(study) == f"<Study '{study.folder}' of 2 trials, 1 at the last rung>"

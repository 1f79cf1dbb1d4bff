from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.metrics.score import Score
from neptune_nas.report.progress import corners, progress, spans, survival
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from tests.report.fixtures import make_results, plain_results, plain_trial


def at(number: int, started: float, seconds: float, worker: int = 0) -> Trial:
    """Return a trial whose one evaluation ran then."""
    score = Score(
        9, {"accuracy": 0.5, "loss": 1.0}, started=started, seconds=seconds, worker=worker
    )
    return replace(plain_trial(number, 0.5, 1000), scores=(score,))


@given(st.lists(st.tuples(st.integers(10, 100), st.integers(1, 2_000_000)), max_size=12))
def test_hypervolume_after_each_trial_is_that_of_the_trials_so_far(
    points: list[tuple[int, int]],
) -> None:
    trials = [plain_trial(i, percent / 100, macs) for i, (percent, macs) in enumerate(points)]
    study = plain_results(*trials)
    for step in progress(study):
        expected = study.hypervolume(trials[: step.trials])
        assert step.hypervolume == pytest.approx(expected)


def test_trials_count_when_they_end_not_when_they_begin() -> None:
    study = plain_results(at(0, started=0.0, seconds=9.0), at(1, started=1.0, seconds=2.0))
    assert [step.seconds for step in progress(study)] == [2.0, 11.0]


def test_corners_keep_the_stair() -> None:
    steps = progress(make_results(30))
    kept = corners(steps)
    assert (kept[0], kept[-1]) == (steps[0], steps[-1])
    assert {s.hypervolume for s in kept} == {s.hypervolume for s in steps}
    assert len(kept) < len(steps)


def test_a_pause_of_a_worker_splits_its_span_and_none_does_not() -> None:
    study = plain_results(
        at(0, started=100.0, seconds=10.0),
        at(1, started=110.0, seconds=10.0),
        at(2, started=150.0, seconds=10.0),
        at(3, started=100.0, seconds=5.0, worker=1),
    )
    found = [(s.worker, s.start, s.end) for s in spans(study)]
    assert found == [(0, 0.0, 20.0), (0, 50.0, 60.0), (1, 0.0, 5.0)]


def test_a_study_without_evaluations_has_no_spans() -> None:
    assert spans(plain_results()) == ()


def test_survival_counts_those_scored_at_each_rung_or_above() -> None:
    study: Study = make_results(30)
    counts = dict(survival(study))
    assert counts["begun"] == 30
    assert counts["9 epochs"] == len(study.ranked)
    assert counts["1 epoch"] >= counts["3 epochs"] >= counts["9 epochs"]
    assert counts["on the front"] == len(study.pareto())

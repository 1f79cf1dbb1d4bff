from dataclasses import replace
from math import log10
from random import Random

import pytest

from neptune_nas.deploy.latency_table import Measured
from neptune_nas.report.baselines import baseline_verdicts, mean_random
from neptune_nas.report.checklist import checklist
from neptune_nas.report.pareto_figure import pareto_figure
from neptune_nas.study.latencies import with_latencies
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State, Trial
from tests.report.fixtures import make_results, plain_results, plain_trial, timed


def study(accuracy: float, seeds: tuple[float, ...] = ()) -> tuple[Trial, ...]:
    shifted = tuple(accuracy + seed for seed in seeds)
    return tuple(
        plain_trial(n, accuracy + n / 1000, 1_000_000 + n, tuple(s + n / 1000 for s in shifted))
        for n in range(20)
    )


def compared(ours: tuple[Trial, ...], theirs: tuple[Trial, ...]) -> Study:
    return replace(plain_results(*ours), baselines={"random": theirs})


def test_a_clear_lead_is_said_to_beat_the_baseline() -> None:
    (found,) = baseline_verdicts(compared(study(0.9), study(0.5)))
    assert found.low > 0
    assert str(found).startswith("the search beat 'random'")
    assert "no seeds were repeated" in str(found)


def test_a_clear_lag_is_said_too() -> None:
    (found,) = baseline_verdicts(compared(study(0.5), study(0.9)))
    assert str(found).startswith("'random' beat the search")


def test_equal_studies_cannot_be_told_apart() -> None:
    (found,) = baseline_verdicts(compared(study(0.9), study(0.9)))
    assert found.ahead == 0
    assert "cannot be told from" in str(found)


def test_the_interval_holds_the_luck_of_training_where_seeds_were_repeated() -> None:
    noisy = (-0.1, 0.0, 0.1)
    (found,) = baseline_verdicts(compared(study(0.8, noisy), study(0.79, noisy)))
    assert found.seeds
    assert found.low < 0 < found.ahead < found.high
    assert "by a bootstrap over trials and their seeds" in str(found)


def test_seeds_without_noise_leave_the_luck_of_the_search_in_the_interval() -> None:
    (once,) = baseline_verdicts(compared(study(0.8), study(0.79)))
    (twice,) = baseline_verdicts(compared(study(0.8, (0.0, 0.0)), study(0.79, (0.0, 0.0))))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=0.001)
    assert twice.high - twice.low > 0.002


def drawn(rng: Random) -> tuple[Trial, ...]:
    """Return a random search whose accuracies grow with the logarithm of MACs, two seeds each."""
    networks = [(10 ** rng.uniform(5, 6.4), rng.gauss(0, 0.06)) for _ in range(20)]
    truths = [(macs, 0.25 * log10(macs) - 0.75 + luck) for macs, luck in networks]
    return tuple(
        plain_trial(n, None, int(macs), (rng.gauss(truth, 0.01), rng.gauss(truth, 0.01)))
        for n, (macs, truth) in enumerate(truths)
    )


def test_two_random_searches_with_repeated_seeds_are_seldom_told_apart() -> None:
    rng = Random(0)
    found = [baseline_verdicts(compared(drawn(rng), drawn(rng)))[0] for _ in range(20)]
    assert sum("cannot be told from" in str(each) for each in found) >= 15


def test_the_mean_random_architecture_is_the_mean_of_that_baseline() -> None:
    found = mean_random(compared(study(0.9), study(0.5)))
    assert found is not None
    assert found[0] == pytest.approx(0.5 + 9.5 / 1000)
    assert found[1]["macs"] == pytest.approx(1_000_000 + 9.5)
    assert mean_random(plain_results(*study(0.9))) is None


def test_the_report_shows_both() -> None:
    study = replace(make_results(60), baselines={"random": make_results(30).trials})
    names = [trace.name for trace in pareto_figure([study]).data]
    assert {"baseline: random", "mean random architecture"} <= {*names}
    (check,) = [c for c in checklist(study) if c.claim.startswith("It was compared")]
    assert "'random'" in check.evidence
    assert "of hypervolume" in check.evidence


def test_a_longer_search_is_compared_by_as_many_trials_as_its_baseline_has() -> None:
    early = tuple(plain_trial(i, 0.5, 1_000_000) for i in range(3))
    late = tuple(plain_trial(i, 0.9, 1_000_000) for i in range(3, 30))
    (found,) = baseline_verdicts(compared((*early, *late), early))
    assert (found.trials, found.ahead) == (3, 0.0)
    assert "cannot be told from" in str(found)


def test_a_verdict_on_an_unfinished_search_says_so() -> None:
    found = compared(study(0.9), study(0.5))
    assert "unfinished" not in str(baseline_verdicts(found)[0])
    running = replace(found.trials[-1], state=State.RUNNING)
    asked = replace(found.settings, trials=40)
    stopped = replace(found, trials=(*found.trials[:-1], running), settings=asked)
    (verdict,) = baseline_verdicts(stopped)
    assert str(verdict).endswith(
        "(the first 20 trials of each; the search is unfinished, with 19 of 40 trials)"
    )


def test_latencies_that_were_measured_of_the_picks_do_not_count() -> None:
    predicted = tuple(timed(trial, 1.0 + trial.number / 100) for trial in study(0.9))
    rows = [Measured("{}", value, f"{n:016x}", use="pick") for n, value in ((0, 1.9), (19, 3.0))]
    searched = plain_results(
        *predicted, objectives=("accuracy", "latency"), constraints=("latency<=2ms",)
    )
    before = replace(searched, baselines={"random": predicted})
    after = replace(before, trials=with_latencies(before.settings.question, predicted, rows))
    assert after.trials[19].state is State.FAILED
    assert baseline_verdicts(after) == baseline_verdicts(before)

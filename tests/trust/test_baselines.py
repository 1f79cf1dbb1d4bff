from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.evaluator import Traits
from neptune_nas.search.config import Search
from neptune_nas.study.folder import read_settings, write_settings
from neptune_nas.study.read import read_study
from neptune_nas.trust.baselines import baselines_text, forecast_baselines, run_baselines
from tests.study.fakes import Arithmetic, arithmetic_search


def test_baselines_have_the_studys_budget_and_question(searched: Search) -> None:
    study = run_baselines(searched)
    assert {name: len(trials) for name, trials in study.baselines.items()} == {
        "random": 12,
        "local": 12,
    }
    inner = read_study(searched.folder.baselines / "local").settings
    ours = study.settings
    assert inner.question.sampler == "local"
    assert (inner.question.rungs, inner.question.seed) == (ours.question.rungs, ours.question.seed)
    assert inner.facts.reference == ours.facts.reference


def test_an_architecture_scores_alike_in_both(searched: Search) -> None:
    study = run_baselines(searched, ("random",))
    ours = {t.key: t.score.main for t in study.trials if t.score}
    theirs = {t.key: t.score.main for t in study.baselines["random"] if t.score}
    assert all(ours[key] == theirs[key] for key in ours.keys() & theirs.keys())


@dataclass(frozen=True, slots=True)
class Trainer(Arithmetic):
    """A user's evaluator that says that it trains."""

    @property
    def traits(self) -> Traits:
        return Traits(unit="epoch", trains=True, uses_device=False)


def test_a_study_by_an_own_evaluator_that_trains_has_baselines(tmp_path: Path) -> None:
    search = replace(arithmetic_search(tmp_path, trials=2), evaluator=Trainer())
    search.run()
    assert len(run_baselines(search, ("random",)).baselines["random"]) == 2


def test_baselines_go_on_and_stay_in_later_results(searched: Search) -> None:
    first = run_baselines(searched, ("random",), trials=3).baselines["random"]
    second = run_baselines(searched, ("random",), trials=6).baselines["random"]
    assert second[:3] == first
    assert len(searched.run().baselines["random"]) == 6


def test_whose_search_it_is_is_said_before_its_first_result(searched: Search) -> None:
    told: list[str] = []
    run_baselines(
        searched, trials=1, watch=lambda progress: told.append(f"{progress.done}"), say=told.append
    )
    assert told == ["Searching with sampler 'random'.", "1", "Searching with sampler 'local'.", "1"]


def test_a_misspelt_sampler_is_refused_before_any_runs(searched: Search) -> None:
    with pytest.raises(OptionError, match="sampler 'lcoal' is unknown: did you mean 'local'"):
        run_baselines(searched, ("random", "lcoal"))
    assert not searched.folder.baselines.exists()


@pytest.mark.parametrize("trials", [0, -3])
def test_no_trials_are_refused_before_any_runs(searched: Search, trials: int) -> None:
    with pytest.raises(OptionError, match=f"need at least 1 trial, but got {trials}"):
        run_baselines(searched, trials=trials)
    assert not searched.folder.baselines.exists()


def test_no_sampler_is_refused(searched: Search) -> None:
    with pytest.raises(OptionError, match="need at least one sampler"):
        run_baselines(searched, ())


def test_baselines_of_a_study_with_older_latencies_are_refused(searched: Search) -> None:
    timed = replace(searched, objectives=("accuracy", "latency"), trials=2, name="timed")
    timed.run()
    settings = read_settings(timed.folder.settings)
    write_settings(timed.folder, replace(settings, facts=replace(settings.facts, timed={})))
    with pytest.raises(StudyError, match=r"latency by an unnamed clock, but .* processor time"):
        run_baselines(replace(timed))
    assert not timed.folder.baselines.exists()


def test_a_study_that_is_being_searched_gets_no_baselines(searched: Search) -> None:
    with (
        searched.folder.locked(),
        pytest.raises(StudyError, match=r"another process is searching or .* wait for it"),
    ):
        run_baselines(searched)
    assert not searched.folder.baselines.exists()


def test_a_forecast_says_what_is_left_and_searches_nothing(searched: Search) -> None:
    foreseen = forecast_baselines(searched)
    assert foreseen.left == {"random": 12, "local": 12}
    assert foreseen.seconds is not None
    assert baselines_text(replace(foreseen, seconds=60.0)) == (
        "12 trials with sampler 'random' and 12 trials with sampler 'local' would be searched, "
        "1 at once in about 1 min 0 s."
    )
    assert not searched.folder.baselines.exists()


def test_a_forecast_knows_what_was_searched(searched: Search) -> None:
    run_baselines(searched, ("random",), trials=3)
    foreseen = replace(forecast_baselines(searched, trials=4), seconds=None)
    assert baselines_text(foreseen) == (
        "1 trial of 4 with sampler 'random' and 4 trials with sampler 'local' would be searched, "
        "1 at once."
    )
    done = forecast_baselines(searched, ("random",), trials=3)
    assert (done.left, done.seconds) == ({"random": 0}, 0.0)
    assert baselines_text(done).startswith("Nothing is left to search")


def test_a_forecast_refuses_what_a_run_does(searched: Search) -> None:
    with pytest.raises(OptionError, match="sampler 'lcoal' is unknown"):
        forecast_baselines(searched, ("lcoal",))
    with pytest.raises(OptionError, match="need at least 1 trial, but got 0"):
        forecast_baselines(searched, trials=0)
    with searched.folder.locked(), pytest.raises(StudyError, match="wait for it"):
        forecast_baselines(searched)

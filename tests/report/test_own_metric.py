"""A study whose evaluator measures metrics of its own is shown by their names."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from neptune_nas.metrics.registry import Metric
from neptune_nas.metrics.score import Score
from neptune_nas.report.checklist import checklist
from neptune_nas.report.figures import FIGURES, plot
from neptune_nas.report.page import render
from neptune_nas.report.tables import pareto_csv, ranking_text, trials_csv
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from tests.report.fixtures import RUNGS, make_results, plain_results, plain_trial
from tests.report.reading import packed_json, visible

F1 = Metric("f1", "F1", "share", "more", "scored")
BLUR = Metric("blur", "blur", source="scored")


def scored(trial: Trial) -> Trial:
    """Return the trial with the F1 that was its accuracy, and a blur."""
    scores = (replace(s, values={"f1": s.main, "blur": 3.0}) if s.ok else s for s in trial.scores)
    return replace(trial, scores=tuple(scores))


def own(*trials: Trial, **question: Any) -> Study:
    asked: dict[str, Any] = {"objectives": ("f1", "flops"), "scored": (F1, BLUR), **question}
    study = plain_results(*map(scored, trials), **asked)
    facts = replace(study.settings.facts, guess={})
    return replace(study, settings=replace(study.settings, facts=facts))


STUDY = own(plain_trial(0, 0.9, 10_000), plain_trial(1, 0.8, 500), plain_trial(2, None, 10))


def test_it_is_ranked_by_its_main_metric() -> None:
    assert [place.score for place in STUDY.ranking("f1")] == [0.9, 0.8]
    assert [place.value for place in own(*STUDY.trials).ranking()] == pytest.approx([0.9 / 0.02])
    assert own(*STUDY.trials, objectives=("f1",)).ranking() == STUDY.ranking("f1")
    assert STUDY.hypervolume() > 0.8


def test_the_tables_have_its_columns() -> None:
    first, second, failed = csv.DictReader(io.StringIO(trials_csv(STUDY)))
    assert (first["f1"], first["blur"], first["f1_half_width"]) == ("0.9", "3.0", "")
    assert float(second["f1_per_gflop"]) == pytest.approx(0.8 / 1e-6)
    assert (failed["f1"], failed["blur"]) == ("", "")
    assert not {column for column in first if column.startswith(("accuracy", "loss"))}
    assert pareto_csv(STUDY).count("\n") == 3


def test_the_ranking_as_markdown_is_by_its_title() -> None:
    text = ranking_text(STUDY, "md", min_accuracy=0.0)
    assert "`(F1 - chance) / MFLOPs`; the first 2 of 2 with F1 of at least 0.0000." in text
    assert "| place | trial | F1 | FLOPs | parameters | (F1 - chance)/MFLOPs | F1/GFLOPs |" in text
    assert "accuracy" not in text.partition("## Can it be trusted?")[0]


def test_the_page_names_it() -> None:
    page = render([STUDY], rank_by="f1")
    assert "<small>validation F1</small>" in page
    assert "Ranked by <b>f1</b>: <code>validation F1</code>" in page
    assert "to F1 1 and cost 0" in visible(page)
    data = packed_json(page)
    assert [metric["name"] for metric in data["metrics"]][:3] == ["f1", "blur", "flops"]
    assert data["columns"]["f1"] == [0.9, 0.8, None]
    assert "validation F1" in str(data["figures"]["pareto"])


def test_studies_beside_each_other_are_compared_by_it() -> None:
    other = replace(STUDY, settings=replace(STUDY.settings, name="other"))
    assert '<th scope="col">best F1</th>' in render([STUDY, other])


@pytest.mark.parametrize("name", FIGURES)
def test_its_figures_are_drawn(name: str) -> None:
    many = own(*make_results(60).trials, rungs=RUNGS)
    assert "accuracy" not in plot(name, [many]).to_json()


def test_another_metric_can_be_an_objective_of_which_less_is_better() -> None:
    study = own(*STUDY.trials, objectives=("f1", "blur"))
    facts = replace(study.settings.facts, reference=(0.0, 10.0))
    study = replace(study, settings=replace(study.settings, facts=facts))
    assert study.hypervolume() == pytest.approx(0.9 * 0.7)
    assert "| place | trial | F1 | blur | FLOPs |" in ranking_text(study, "md")


def test_repeated_seeds_give_its_interval() -> None:
    measured = ({"f1": value, "blur": 1.0} for value in (0.8, 0.9))
    seeds = tuple(Score(RUNGS[-1], values, i) for i, values in enumerate(measured))
    study = replace(STUDY, trials=(replace(STUDY.trials[0], scores=seeds),))
    (first,) = study.ranking("f1")
    assert first.score == pytest.approx(0.85)
    assert first.seeds == 2
    assert first.high == 1.0
    assert checklist(study)

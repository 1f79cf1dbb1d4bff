import csv
import io
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from neptune_nas.errors import OptionError
from neptune_nas.metrics.score import Score
from neptune_nas.report.checklist import checklist
from neptune_nas.report.tables import escape_markdown, pareto_csv, ranking_text, trials_csv
from neptune_nas.study.study import Study
from neptune_nas.text import csv_cell
from tests.report.fixtures import make_results, plain_results, plain_trial, timed


@pytest.fixture(scope="module")
def study() -> Study:
    return make_results(30)


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text))


def test_trials_csv_has_a_row_a_trial_and_its_exact_numbers(study: Study) -> None:
    frame = read(trials_csv(study))
    assert frame["number"].tolist() == [trial.number for trial in study.trials]
    assert frame["flops"].tolist() == [trial.values["flops"] for trial in study.trials]
    for trial, value in zip(study.trials, frame["accuracy"], strict=True):
        assert value == trial.score.main if trial.score else pd.isna(value)


def test_trials_csv_has_a_column_a_pick(study: Study) -> None:
    frame = read(trials_csv(study))
    trial = study.trials[3]
    for path, pick in trial.picks.items():
        assert str(frame.loc[3, f"pick:{path}"]) in (str(pick), f"{pick}.0")


def test_pareto_csv_is_the_front_cheapest_first(study: Study) -> None:
    frame = read(pareto_csv(study))
    assert frame["number"].tolist() == [trial.number for trial in study.pareto()]
    assert frame["flops"].is_monotonic_increasing
    assert frame["pareto"].all()


def test_the_ranking_as_csv_is_in_order_of_place(study: Study) -> None:
    frame = read(ranking_text(study, "csv"))
    assert frame["number"].tolist() == [s.trial.number for s in study.ranking()]
    assert frame["place"].tolist() == list(range(1, len(frame) + 1))


def test_the_ranking_as_markdown_says_its_formula_and_its_first(study: Study) -> None:
    text = ranking_text(study, "md")
    first = study.ranking()[0]
    assert "(accuracy - chance) / MFLOPs" in text
    assert f"| 1 | {first.trial.number} | {first.score:.4f} |" in text


def test_what_a_table_does_not_say_is_left_out() -> None:
    half = replace(
        plain_trial(0, 0.9, 10_000), values={"flops": 20_000, "macs": 10_000, "params": 1_000}
    )
    study = plain_results(half, plain_trial(1, 0.8, 5_000))
    (first, second) = csv.DictReader(io.StringIO(trials_csv(study)))
    assert (first["flops"], first["activations"]) == ("20000", "")
    assert (second["flops"], second["activations"]) == ("10000", "100")
    unknown = replace(half, values={"params": 1_000})
    text = ranking_text(plain_results(unknown, objectives=("accuracy", "params")), "md")
    assert "| 1 | 0 | 0.9000 | - | 1k | 800 | - |" in text


@pytest.mark.parametrize(
    ("objectives", "heads", "cells"),
    [
        (("accuracy", "params"), "accuracy | FLOPs |", "0.9000 | 20k |"),
        (("accuracy", "latency"), "accuracy | latency | FLOPs |", "0.9000 | 1.23 ms | 20k |"),
        (("loss", "macs"), "accuracy | loss | MACs | FLOPs |", "0.9000 | 1.0000 | 10k | 20k |"),
    ],
)
def test_markdown_shows_what_the_study_aims_at(
    objectives: tuple[str, ...], heads: str, cells: str
) -> None:
    trial = timed(plain_trial(0, 0.9, 10_000), 1.2345)
    text = ranking_text(plain_results(trial, objectives=objectives), "md")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert f"| place | trial | {heads} parameters |" in table[0]
    assert f"| 1 | 0 | {cells} 1k |" in table[2]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1


def test_markdown_ends_with_the_checklist_of_the_page(study: Study) -> None:
    text, checks = ranking_text(study, "md"), checklist(study)
    lines = text.partition("## Can it be trusted?\n\n")[2].splitlines()
    assert [line.partition("**")[2].partition("**")[0] for line in lines] == [
        escape_markdown(check.claim) for check in checks
    ]
    marks = {True: "✓", False: "✗", None: "?"}
    assert [line[2] for line in lines] == [marks[check.holds] for check in checks]
    assert {check.holds for check in checks} == {True, False, None}


def test_markdown_shows_intervals_where_seeds_were_repeated() -> None:
    study = plain_results(plain_trial(0, None, 10_000, seeds=(0.90, 0.92)))
    text = ranking_text(study, "md")
    assert "0.9100 [0.7829, 1.0000] (2 seeds)" in text
    assert r"| trial | accuracy \[95% between seeds\] |" in text
    once = plain_results(plain_trial(0, 0.9, 10_000))
    assert "| trial | accuracy |" in ranking_text(once, "md")


def test_markdown_of_a_study_with_a_wicked_name_holds_no_tags() -> None:
    study = plain_results(plain_trial(0, 0.9, 10_000), name="<script>alert(1)</script>|x")
    text = ranking_text(study, "md")
    assert "<script" not in text
    assert r"\|x" in text


def test_failures_are_listed_without_passwords() -> None:
    failure = "no answer from postgresql://ada:secret@host/db"
    trial = replace(plain_trial(0, None, 10), failure=failure)
    text = trials_csv(plain_results(trial))
    assert "postgresql://ada:***@host/db" in text
    assert "secret" not in text


@pytest.mark.parametrize("options", [(3, 5), (True, False), (0.5, 2), (2**60, "x"), ("=1", 4)])
def test_a_pick_is_written_as_it_was_beside_trials_without_it(options: tuple[Any, ...]) -> None:
    trials = [replace(plain_trial(i, 0.9, 10), picks={"a": o}) for i, o in enumerate(options)]
    text = trials_csv(plain_results(*trials, plain_trial(2, 0.8, 10)))
    rows = csv.DictReader(io.StringIO(text))
    assert [row.get("pick:a") for row in rows] == [str(csv_cell(o)) for o in options] + [""]


@pytest.mark.parametrize("unknown", [float("inf"), float("nan")])
def test_a_loss_that_was_not_measured_is_an_empty_cell(unknown: float) -> None:
    trials = [plain_trial(number, 0.9, 10) for number in range(3)]
    losses = (1.5, unknown)
    scored = [
        replace(trial, scores=(Score(9, {"accuracy": 0.9, "loss": value}),))
        for trial, value in zip(trials, losses, strict=False)
    ]
    bare = replace(trials[2], scores=())
    rows = list(csv.DictReader(io.StringIO(trials_csv(plain_results(*scored, bare)))))
    assert [row["loss"] for row in rows] == ["1.5", "", ""]
    (alone,) = csv.DictReader(io.StringIO(trials_csv(plain_results(scored[1]))))
    assert alone["loss"] == ""


def test_an_unknown_format_is_refused(study: Study) -> None:
    with pytest.raises(OptionError, match="format 'xml' is unknown"):
        ranking_text(study, "xml")

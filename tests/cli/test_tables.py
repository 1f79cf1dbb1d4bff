"""Tables of trials in the terminal show what the study aims at."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from neptune_nas.architecture.description import describe
from neptune_nas.cli.overview import front_table
from neptune_nas.cli.summary import confirmed_table, ranking_table
from neptune_nas.cli.tables import objective_columns
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.score import Score
from neptune_nas.study.confirmation import Goal
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from tests.study.builders import make_trial, question, settings

TABLES: dict[str, Callable[[Study], Table]] = {
    "ranking": ranking_table,
    "front": front_table,
    "confirmed": lambda study: confirmed_table(study, Goal(), study.trials),
}


def trial(number: int, accuracy: float, flops: int, latency: float) -> Trial:
    """Return a trial whose accuracy, loss, costs and latency are these."""
    made = make_trial(number, accuracy, flops)
    costs = {**Cost(flops // 2, 14_100, 5_320).values, "latency": latency}
    scores = (Score(1, {"accuracy": accuracy, "loss": 0.4567}),)
    return replace(made, values=costs, scores=scores)


def study_of(objectives: tuple[str, ...], *trials: Trial) -> Study:
    found = settings(question(objectives=("accuracy", "flops")))
    asked, corner = question(objectives=objectives), (0.1, *[5e6] * (len(objectives) - 1))
    facts = replace(found.facts, reference=corner)
    return Study(Path("x"), replace(found, question=asked, facts=facts), trials, Ledger())


def lines(table: Table, width: int = 80) -> list[str]:
    terminal = Console(width=width)
    with terminal.capture() as capture:
        terminal.print(table)
    return capture.get().splitlines()


def cells(table: Table, head: str) -> list[str]:
    """Return the texts of a column, by its heading."""
    (column,) = (column for column in table.columns if column.header == head)
    return [str(cell) for cell in column.cells]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    ("objectives", "head", "shown"),
    [
        (("accuracy", "latency"), "latency", "0.823 ms"),
        (("accuracy", "params"), "parameters", "14.1k"),
        (("accuracy", "activations"), "activations", "5.32k"),
        (("accuracy", "macs"), "MACs", "80.2k"),
        (("loss", "flops"), "loss", "0.4567"),
        (("accuracy", "flops"), "MFLOPs", "0.160"),
    ],
)
def test_a_table_shows_the_cost_that_was_optimised_on_a_narrow_terminal(
    name: str, objectives: tuple[str, ...], head: str, shown: str
) -> None:
    table = TABLES[name](study_of(objectives, trial(0, 0.9, 160_400, 0.8231)))
    assert cells(table, head) == [shown]
    assert cells(table, "MFLOPs") == ["0.160"]
    printed = lines(table)
    assert any(f" {head} " in line for line in printed)
    assert any(f" {shown} " in line for line in printed)


@pytest.mark.parametrize(
    ("objectives", "heads"),
    [
        (("accuracy", "flops"), ["MFLOPs"]),
        (("accuracy", "latency"), ["latency", "MFLOPs"]),
        (("loss", "macs"), ["loss", "MACs"]),
        (("accuracy", "latency", "flops", "params"), ["latency", "parameters", "MFLOPs"]),
    ],
)
def test_flops_give_way_where_two_others_are_asked_for(
    objectives: tuple[str, ...], heads: list[str]
) -> None:
    assert [*objective_columns(question(objectives=objectives))] == heads


def test_the_front_begins_with_the_most_accurate_whatever_it_costs() -> None:
    trials = (trial(0, 0.5, 900, 1.0), trial(1, 0.9, 100, 9.0), trial(2, 0.7, 500, 4.0))
    table = front_table(study_of(("accuracy", "latency"), *trials))
    assert cells(table, "trial") == ["1", "2", "0"]


def test_a_long_front_keeps_the_most_accurate() -> None:
    trials = (trial(n, 0.9 - n / 100, 100 + n, 20.0 - n) for n in range(12))
    table = front_table(study_of(("accuracy", "latency"), *trials))
    assert cells(table, "trial") == [str(n) for n in range(8)]


def test_the_front_wraps_its_architectures_alone_on_a_narrow_terminal() -> None:
    one = trial(6, 0.9, 160_400, 0.8231)
    study = study_of(("accuracy", "params", "activations", "latency"), one)
    title, heads, row, *more = lines(front_table(study), width=60)
    assert heads.split()[:5] == ["trial", "accuracy", "parameters", "activations", "latency"]
    assert row.split()[:6] == ["6", "0.9000", "14.1k", "5.32k", "0.823", "ms"]
    said = "".join((row.partition(" ms")[2], *more)).replace(" ", "")
    assert said == describe(one.architecture).replace(" ", "")
    assert title.startswith("Pareto front")


@pytest.mark.parametrize(
    ("objectives", "first", "title"),
    [
        (("accuracy",), "1", "By accuracy"),
        (("accuracy", "flops"), "0", "By efficiency, accuracy at least 0.6157: "),
        (("accuracy", "latency"), "2", "By efficiency, accuracy at least 0.6157: "),
    ],
)
def test_the_ranking_follows_the_objectives(
    objectives: tuple[str, ...], first: str, title: str
) -> None:
    trials = (trial(0, 0.89, 100, 9.0), trial(1, 0.9, 900, 8.0), trial(2, 0.88, 500, 1.0))
    table = ranking_table(study_of(objectives, *trials))
    assert cells(table, "trial")[0] == first
    assert str(table.title).startswith(title)
    assert ("efficiency" in [column.header for column in table.columns]) is ("," in title)

from dataclasses import replace

import pytest

from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.score import Score
from neptune_nas.report.page import render
from neptune_nas.report.pareto_figure import pareto_figure
from neptune_nas.report.references import (
    HEADS,
    TITLE,
    caveat,
    cells,
    compare_references,
    heads_of,
    reference_rows,
    reference_tables,
)
from neptune_nas.report.tables import ranking_markdown
from neptune_nas.study.references import Reference
from neptune_nas.study.study import Study
from tests.report.fixtures import RUNGS, make_reference, plain_results, plain_trial

TRIALS = (
    plain_trial(0, 0.80, 1_000_000),
    plain_trial(1, 0.90, 2_000_000),
    plain_trial(2, 0.90, 1_500_000),
    plain_trial(3, 0.95, 4_000_000),
)
FAILED = Reference(
    "fragile", Cost(7, 7, 7).values, (Score(RUNGS[-1], failure="a <b> of a failure"),)
)


def study(*references: Reference) -> Study:
    return replace(plain_results(*TRIALS), references=references)


def only(reference: Reference) -> tuple[str, ...]:
    (found,) = compare_references(study(reference))
    return cells(found)


def test_the_best_at_no_more_flops_and_the_cheapest_as_accurate_are_set_against_a_network() -> None:
    (found,) = compare_references(study(make_reference("known", 0.85, macs=3_000_000)))
    assert found.better == found.cheaper == TRIALS[2]
    assert cells(found) == (
        *("known", "0.8500\n1 seed", "6.000", "61.7k"),
        *("0.9000\n+5.00, trial 2", "3.000\n1/2, trial 2"),
    )


def test_a_network_that_the_search_does_not_beat_is_shown_to_win() -> None:
    texts = only(make_reference("known", 0.93, macs=2_000_000))
    assert texts[-2:] == ("0.9000\n-3.00, trial 2", "8.000\n2x, trial 3")
    assert only(make_reference("tiny", 0.99, macs=1))[-2:] == ("none", "none")


def test_networks_stand_cheapest_first_with_the_spread_of_their_seeds() -> None:
    large, small = make_reference("large", 0.5, macs=99), make_reference("small", 0.5, 0.7, macs=9)
    rows = [cells(found) for found in compare_references(study(large, small))]
    assert [row[0] for row in rows] == ["small", "large"]
    assert rows[0][1] == "0.6000 ± 0.1414\n2 seeds"


def test_a_network_that_failed_is_shown_with_the_reason_and_not_compared() -> None:
    assert only(FAILED)[1] == "none\n1 failed: a <b> of a failure"
    assert only(FAILED)[-2:] == ("none", "none")
    assert only(FAILED.plus(Score(RUNGS[-1], {"accuracy": 0.8, "loss": 1.0}, seed=1)))[
        1
    ].startswith("0.8000\n1 seed; 1 failed: ")


def test_the_page_has_the_table_escaped_and_the_caveat() -> None:
    _, _, page = render([study(FAILED, make_reference("a<b", 0.5))]).partition(f"<h3>{TITLE}</h3>")
    table, _, _ = page.partition("</table>")
    assert table.count("<tr>") == 3
    assert "a&lt;b" in table
    assert "<b>" not in table
    assert "best of 4 by that same split" in table


def test_without_hand_designed_networks_there_is_no_table() -> None:
    assert reference_tables([study()]) == []
    assert TITLE not in ranking_markdown(study())


def test_tables_of_several_studies_name_them() -> None:
    known = make_reference("known", 0.5)
    other = replace(plain_results(name="other"), references=(known,))
    titles = [table.title for table in reference_tables([study(known), other])]
    assert titles == [f"{TITLE}: plain", f"{TITLE}: other"]


def test_the_markdown_ranking_has_the_table_before_the_checklist() -> None:
    asked = study(make_reference("some_net", 0.85, macs=3_000_000))
    text, _, checks = ranking_markdown(asked).partition("\n\n## Can it be trusted?\n")
    *_, head, rule, row = text.splitlines()
    assert "with some\\_net" in checks
    assert caveat(asked) in text
    assert head.count("|") == rule.count("|") == row.count("|") == len(HEADS) + 1
    assert row.startswith("| some\\_net | 0.8500; 1 seed | 6.000 |")


def test_the_front_shows_networks_with_names_and_spread_but_none_that_failed() -> None:
    known = make_reference("known", 0.5, 0.7, macs=3_000_000), make_reference("one", 0.6, macs=9)
    *_, one, dear = pareto_figure([study(*known, FAILED)]).data
    assert (one.name, dear.name) == ("one", "known")  # in the legend, the cheapest first
    assert one.marker.symbol == "diamond" != dear.marker.symbol
    assert [*one.text, *dear.text] == ["one", "known"]
    assert [*one.x, *dear.x] == [18, 6_000_000]
    assert [*one.error_y.array, *dear.error_y.array] == pytest.approx([0.0, 0.02**0.5])
    assert one.mode == dear.mode == "markers"  # no text that could cover points


def test_networks_stand_on_any_axis_that_they_have_a_cost_of() -> None:
    known = make_reference("known", 0.5)
    quick = replace(known, name="quick", costs={**known.costs, "latency": 2.5})
    asked = study(known, quick)
    question = replace(asked.settings.question, objectives=("accuracy", "latency"))
    on_time = replace(asked, settings=replace(asked.settings, question=question))
    trace = pareto_figure([on_time]).data[-1]
    assert (list(trace.text), list(trace.x)) == (["quick"], [2.5])


def test_ticks_are_fewer_where_costs_span_decades() -> None:
    assert pareto_figure([study()]).layout.xaxis.dtick == "D2"
    assert pareto_figure([study(make_reference("huge", 0.9, macs=10**9))]).layout.xaxis.dtick == 1


def test_the_memory_that_a_study_limits_stands_beside_the_parameters() -> None:
    known = make_reference("plain-8", 0.9)
    known = replace(known, costs={**known.costs, "ram": 20_480.0})
    study = replace(
        plain_results(plain_trial(1, 0.9, 1_000), constraints=("ram<=24KiB", "flash<=160KiB")),
        references=(known,),
    )
    at = heads_of(study).index("RAM")
    (row,) = reference_rows(study)
    assert (heads_of(study)[at + 1], row[at : at + 2]) == ("flash", ("20 KiB", "-"))
    assert len(row) == len(heads_of(study))

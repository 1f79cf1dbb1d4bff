"""What a study says first: its picks, its lead over plain networks, and what to beware of."""

import re
from dataclasses import asdict, replace

import pytest
from markupsafe import escape

from neptune_nas.deploy.int8_accuracy import CALIBRATION
from neptune_nas.report.page import render
from neptune_nas.report.plain_comparison import seed_noise
from neptune_nas.report.tables import ranking_text
from neptune_nas.report.verdict import (
    cautions,
    interval_text,
    picks,
    recommendation,
    verdict,
)
from neptune_nas.training.recipe import Recipe
from tests.report.fixtures import beside, plain_results, plain_trial


def test_a_clear_lead_over_a_plain_network_is_told_with_its_interval() -> None:
    # Deviation 0.01 with 4 degrees of freedom: t = 2.7764, times 0.01 x sqrt(2/3) = 2.27 points.
    assert verdict(beside(0.89, 0.90, 0.91)) == (
        "The most accurate is 9.0 points (6.7 to 11.3, 95% between seeds) better than a plain "
        "network of 832k FLOPs (plain-8)."
    )


@pytest.mark.parametrize(
    ("seeds", "end"),
    [
        (
            (0.81, 0.82, 0.83),
            "is not clearly better (+1.0 points, -1.3 to +3.3, 95% between seeds) than a plain "
            "network of 832k FLOPs (plain-8); take the plain one.",
        ),
        (
            (0.69, 0.70, 0.71),
            "is 11.0 points (8.7 to 13.3, 95% between seeds) worse than a plain network of 832k "
            "FLOPs (plain-8); take the plain one.",
        ),
    ],
)
def test_without_a_clear_lead_the_plain_network_is_recommended(
    seeds: tuple[float, ...], end: str
) -> None:
    assert verdict(beside(*seeds, cost=800_000)).endswith(end)


def test_a_plain_network_that_costs_more_is_not_recommended() -> None:
    assert verdict(beside(0.81, 0.82, 0.83, cost=200_000)).endswith(
        "than a plain network of 832k FLOPs (plain-8), with 4.2 times the FLOPs."
    )


def test_a_cheaper_trial_that_may_be_as_good_is_not_clearly_worse() -> None:
    study = beside(0.80, 0.81, 0.82, plain=(0.81, 0.82, 0.83), cost=200_000)
    assert "not clearly worse (-1.0 points, -3.3 to +1.3" in verdict(study)


def test_the_page_says_first_what_to_take_how_good_it_is_and_what_it_costs() -> None:
    study = beside(0.89, 0.90, 0.91)
    interval = interval_text(study, study.trials[0], seed_noise(study))
    text = f"Take trial 0: accuracy 90.00%, {interval}, FLOPs 500k."
    assert recommendation(study) == text
    headline = render([study]).split('<section id="answer"')[0]
    assert headline.index(text) < headline.index(verdict(study)) < headline.index('"lead"')


@pytest.mark.parametrize("cost", [800_000, 200_000])
def test_a_better_plain_network_is_recommended_with_its_command(cost: int) -> None:
    limit, data = ("flops<=1M",), "folder:my pictures"
    study = beside(0.69, 0.70, 0.71, cost=cost, data=data, constraints=limit)
    command = "neptune-nas train plain-8 --data 'folder:my pictures'"
    assert recommendation(study) == (
        f"Take the plain network plain-8: accuracy 81.00%, FLOPs 832k. To train it: `{command}`"
    )
    assert f"<code>{escape(command)}</code>" in render([study])


def test_where_int8_was_measured_the_plain_network_is_trained_for_it_too() -> None:
    study = beside(0.69, 0.70, 0.71, cost=800_000, calibration=CALIBRATION)
    assert recommendation(study).endswith(" --data digits --int8`")


def test_a_plain_network_is_trained_by_a_studys_own_recipe_as_its_trials_are() -> None:
    study = beside(0.69, 0.70, 0.71, cost=800_000, recipe=asdict(Recipe(optimizer="sgd", lr=0.1)))
    assert recommendation(study).endswith(f" --recipe {study.folder}/study.toml`")


def test_without_plain_networks_there_is_no_verdict() -> None:
    study = replace(beside(0.9, 0.91), references=())
    assert verdict(study) == ""
    assert verdict(replace(study, trials=())) == ""


def test_the_most_accurate_comes_first_and_limits_are_named() -> None:
    assert [*picks(beside(0.9)).values()][:2] == [
        "Most accurate",
        "Cheapest that is not clearly worse",
    ]
    limited = beside(0.9, constraints=("flops<=1M",))
    assert [*picks(limited)][:2] == ["accuracy", "flops"]
    assert next(iter(picks(limited).values())) == "Most accurate within your limits"


def test_page_and_markdown_begin_with_the_verdict_and_the_limits() -> None:
    study = beside(0.89, 0.90, 0.91, constraints=("flops<=1M",))
    page = render([study])
    headline = page.split('<section id="answer"')[0]
    assert "9.0 points (6.7 to 11.3, 95% between seeds) better than a plain network" in headline
    assert "within flops &lt;= 1,000,000" in headline
    assert "<span>train</span> <span>studies/plain</span> <span>--trial 0</span>" in page
    assert (
        "9.0 points (6.7 to 11.3, 95% between seeds) better"
        in ranking_text(study, "md").split("| place")[0]
    )


def test_a_study_at_chance_says_so_first_with_a_remedy() -> None:
    study = plain_results(plain_trial(0, 0.105, 10_000))
    (caution,) = cautions(study)
    assert "the best accuracy is 0.1050, chance is 0.1000; train longer, with more" in caution
    headline = render([study]).split('<section id="answer"')[0]
    shown = re.sub("</?code>", "`", headline)
    assert shown.index(caution) < shown.index('<p class="lead">')
    assert "Take " not in shown
    assert "better than chance" in ranking_text(study, "md").split("| place")[0]
    assert [*cautions(beside(0.9))] == []


def test_the_report_repeats_what_was_chosen_for_the_user() -> None:
    study = beside(0.9)
    chosen = ("Space: auto, around 8 <channels>.", "Training: 6, 20, 60 epochs.")
    facts = replace(study.settings.facts, choices=chosen)
    study = replace(study, settings=replace(study.settings, facts=facts))
    headline = render([study]).split('<section id="answer"')[0]
    assert "Space: auto, around 8 &lt;channels&gt;." in headline
    assert "Training: 6, 20, 60 epochs." in headline
    assert "Training: 6, 20, 60 epochs." in ranking_text(study, "md").split("| place")[0]

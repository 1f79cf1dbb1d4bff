"""A trial beside the plain networks of its study."""

from dataclasses import replace
from typing import Any

import pytest

from neptune_nas.report.plain_comparison import Comparison, beside_plain, favoured_plain
from neptune_nas.report.verdict import recommendation, verdict
from neptune_nas.study.study import Study
from tests.report.fixtures import beside, make_reference


def comparison(study: Study) -> Comparison:
    """Return the comparison of a study's first trial."""
    compared = beside_plain(study, study.trials[0])
    assert compared is not None
    return compared


def test_a_lead_of_one_image_is_no_clear_lead() -> None:
    study = beside(0.9, 0.9, 0.9, plain=(0.9 - 1 / 288,) * 3)
    compared = beside_plain(study, study.trials[0])
    assert compared is not None
    assert compared.points == pytest.approx(100 / 288)
    assert "not clearly better" in str(compared)


def test_a_confirmed_trial_is_judged_by_the_scores_it_was_not_selected_by() -> None:
    study = beside(0.95)
    trial = replace(study.trials[0], confirmations=beside(0.85, 0.87).trials[0].scores)
    study = replace(study, trials=(trial, study.trials[1]))
    compared = beside_plain(study, trial)
    assert compared is not None
    assert compared.points == pytest.approx(100 * (0.86 - 0.81))


def test_with_one_seed_each_the_noise_is_not_known() -> None:
    study = beside(0.9, plain=(0.8,))
    compared = beside_plain(study, study.trials[0])
    assert compared is not None
    assert compared.low is None
    assert verdict(study) == (
        "The most accurate is 10.0 points better than a plain network of 832k FLOPs (plain-8); "
        "the noise is not known."
    )


def test_the_best_plain_network_within_the_limits_is_the_one_to_beat() -> None:
    study = beside(0.89, 0.90, 0.91, constraints=("flops<=1M",))
    others = (
        make_reference("plain-9", 0.85, 0.86, 0.87),
        make_reference("plain-30", 0.99, 0.99, macs=2_000_000),  # beyond the limit
        make_reference("resnet8", 0.99, 0.99),  # not plain
        make_reference("plain-4"),  # never trained
    )
    study = replace(study, references=(*study.references, *others))
    compared = beside_plain(study, study.trials[0])
    assert compared is not None
    assert compared.plain.name == "plain-9"


@pytest.mark.parametrize(
    ("question", "is_favoured"),
    [
        ({"constraints": ("flops<=1M",)}, True),
        ({}, False),  # nobody said what may be paid
        ({"constraints": ("flops<=1M", "latency<=1us")}, False),  # its latency is not known
        ({"constraints": ("peak_memory<=1MiB",)}, False),
    ],
)
def test_a_dearer_network_is_taken_only_where_it_is_known_to_meet_all_limits(
    question: dict[str, Any], is_favoured: bool
) -> None:
    study = beside(0.69, 0.70, 0.71, cost=200_000, **question)  # plain-8 has 4.2 times as many
    assert (comparison(study).high or 0) < 0
    assert (favoured_plain(study) is not None) == is_favoured
    assert "with 4.2 times the FLOPs" in verdict(study)
    assert recommendation(study).startswith("Take the plain" if is_favoured else "Take trial 0")


def test_a_network_of_equal_flops_is_not_taken_for_many_more_parameters() -> None:
    study = beside(0.81, 0.82, 0.83, cost=800_000)
    assert favoured_plain(study) is not None
    by_params = beside(0.81, 0.82, 0.83, cost=800_000, objectives=("accuracy", "params"))
    assert favoured_plain(by_params) is None
    assert "times the parameters" in verdict(by_params)


def test_a_network_whose_cost_is_not_known_is_not_taken() -> None:
    study = beside(0.69, 0.70, 0.71, objectives=("accuracy", "latency"))
    assert comparison(study).times is None
    assert favoured_plain(study) is None


def test_nothing_is_recommended_over_a_better_network_where_the_noise_is_not_known() -> None:
    study = beside(0.7, plain=(0.8,))
    assert verdict(study).endswith("the noise is not known.")
    assert recommendation(study) == ""
    assert recommendation(beside(0.9, plain=(0.8,))).startswith("Take trial 0")

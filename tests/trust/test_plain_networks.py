"""Which plain networks a search has to beat."""

from dataclasses import replace

import pytest

from neptune_nas.metrics.costs import Costs
from neptune_nas.metrics.counted import CostModel
from neptune_nas.nn.references import PLAIN, plain_network
from neptune_nas.study.study import Study
from neptune_nas.trust.plain_networks import plain_names
from tests.report.fixtures import make_reference, plain_results, plain_trial

PLAIN_ONES = PLAIN["classification"]
SHAPE = (1, 8, 8)


def costs_within(study: Study) -> Costs:
    return Costs(CostModel(SHAPE, 10), constraints=study.settings.question.limits)


@pytest.mark.parametrize("limit", ["flops<=300k", "params<=20k", "peak_memory<=64kB"])
def test_the_larger_is_the_largest_that_the_limits_allow(limit: str) -> None:
    study = plain_results(plain_trial(0, 0.9, 10_000_000), constraints=(limit,))
    model, costs = CostModel(SHAPE, 10), costs_within(study)
    larger, smaller = (
        int(name.removeprefix("plain-")) for name in plain_names(costs, study, PLAIN_ONES)
    )
    (allowed,) = study.settings.question.limits
    assert allowed.holds(model.value(allowed.name, plain_network(larger, SHAPE)))
    assert not allowed.holds(model.value(allowed.name, plain_network(larger + 1, SHAPE)))
    half = model.cost(plain_network(larger, SHAPE)).flops / 2
    assert model.cost(plain_network(smaller, SHAPE)).flops <= half
    assert model.cost(plain_network(smaller + 1, SHAPE)).flops > half


def test_without_a_limit_they_cost_no_more_than_the_most_accurate() -> None:
    study = plain_results(plain_trial(0, 0.9, 400_000), plain_trial(1, 0.5, 4_000_000))
    model = CostModel(SHAPE, 10)
    names = plain_names(costs_within(study), study, PLAIN_ONES)
    widths = [int(name.removeprefix("plain-")) for name in names]
    flops = [model.cost(plain_network(width, SHAPE)).flops for width in widths]
    assert 600_000 < flops[0] <= 800_000
    assert flops[1] <= flops[0] / 2


def test_a_limit_that_no_plain_network_meets_has_none() -> None:
    study = plain_results(plain_trial(0, 0.9, 10), constraints=("flops<=100",))
    assert plain_names(costs_within(study), study, PLAIN_ONES) == ()


def test_confirming_changes_no_plain_network_of_the_next_run() -> None:
    study = plain_results(plain_trial(0, 0.9, 400_000), plain_trial(1, 0.89, 100_000))
    behind = plain_trial(0, 0.1, 1).scores
    confirmed = replace(study.trials[0], confirmations=(*behind, *behind))
    after = replace(study, trials=(confirmed, study.trials[1]))
    assert after.best("accuracy").number == 1
    assert plain_names(costs_within(study), after, PLAIN_ONES) == plain_names(
        costs_within(study), study, PLAIN_ONES
    )


def test_where_time_decides_the_plain_networks_that_were_trained_stay() -> None:
    study = plain_results(plain_trial(0, 0.9, 400_000), constraints=("latency<=5ms",))
    trained = replace(study, references=(make_reference("plain-9", 0.5), make_reference("x", 0.5)))
    assert plain_names(costs_within(study), trained, PLAIN_ONES) == ("plain-9",)

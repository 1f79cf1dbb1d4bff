from collections.abc import Callable, Mapping
from itertools import combinations
from random import Random
from typing import Any, ClassVar

import pytest
from optuna.trial import TrialState
from scipy.linalg import LinAlgError

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture
from neptune_nas.metrics.pareto import hypervolume
from neptune_nas.samplers import auto
from neptune_nas.samplers.auto import Auto
from neptune_nas.samplers.classic import RandomSearch
from neptune_nas.samplers.history import History, PastTrial
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import SpaceSampler, Strategy
from neptune_nas.space import Space
from tests.samplers.contract import SamplerContract
from tests.samplers.helpers import NESTED, SMALL, accuracy, cost, make_study, step


class TestAuto(SamplerContract):
    name = "auto"
    options: ClassVar[Mapping[str, Any]] = {"samples": 100}


def reached(strategy: Strategy[Architecture], asked: Problem[Architecture], count: int) -> float:
    """Return the hypervolume after `count` trials."""
    study = make_study(SpaceSampler(asked, strategy))
    found = [step(study, asked.space) for _ in range(count)]
    points = [(cost(one)["flops"] / 1e7, -accuracy(one)) for one in found]
    return hypervolume(points, (1.0, -0.5))


def test_a_model_finds_in_forty_trials_more_than_chance_in_a_hundred() -> None:
    asked = Problem(NESTED, ("accuracy", "flops"), cost)
    assert reached(Auto(asked, samples=200), asked, 40) > reached(RandomSearch(asked), asked, 100)


def test_the_first_trials_are_spread_over_the_costs() -> None:
    asked = Problem(SMALL, ("accuracy", "flops"), cost)
    study = make_study(SpaceSampler(asked, Auto(asked, start=4)))
    found = [cost(step(study, SMALL))["flops"] for _ in range(4)]
    alone = {key(SMALL[i]): SMALL[i] for i in range(SMALL.size)}
    every = sorted(cost(architecture)["flops"] for architecture in alone.values())
    quarters = [sum(value > every[i * len(every) // 4] for i in (1, 2, 3)) for value in found]
    assert len({*quarters}) >= 3


def test_a_search_without_any_cost_is_possible() -> None:
    asked = Problem(NESTED, ("accuracy",))
    study = make_study(SpaceSampler(asked, Auto(asked, samples=200)), 1)
    found = [step(study, NESTED) for _ in range(25)]
    assert max(map(accuracy, found[12:])) > max(map(accuracy, found[:12]))


def test_proposals_are_drawn_from_both_views_of_the_scores() -> None:
    asked = Problem(SMALL, ("accuracy", "flops"), cost)
    strategy = Auto(asked, start=4)
    study = make_study(SpaceSampler(asked, strategy))
    for _ in range(12):
        step(study, SMALL)
    assert all(view.objectives[0].learned is not None for view in strategy.views)


def test_two_exact_costs_are_weighed_at_once() -> None:
    asked = Problem(NESTED, ("accuracy", "flops", "params"), cost)
    study = make_study(SpaceSampler(asked, Auto(asked, samples=200)), 3)
    found = [step_of_three(study) for _ in range(20)]
    assert len({*map(key, found)}) == 20


def step_of_three(study: object) -> Architecture:
    trial = study.ask()  # type: ignore[attr-defined]  # an Optuna study
    architecture = NESTED.suggest(trial)
    values = [accuracy(architecture), *cost(architecture).values()]
    study.tell(trial, values)  # type: ignore[attr-defined]  # an Optuna study
    return architecture


def test_a_second_measured_objective_is_predicted_too() -> None:
    asked = Problem(NESTED, ("accuracy", "latency"), cost)
    study = make_study(SpaceSampler(asked, Auto(asked, samples=200)))
    found = [step(study, NESTED) for _ in range(25)]
    assert len({*map(key, found)}) == 25


def test_objectives_that_are_all_known_need_no_model() -> None:
    asked = Problem(NESTED, ("flops", "params"), cost)
    study = make_study(SpaceSampler(asked, Auto(asked, samples=200)))
    assert len({key(step(study, NESTED)) for _ in range(16)}) == 16


def test_it_goes_on_as_evolution_where_no_model_can_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise LinAlgError("singular")

    monkeypatch.setattr(auto, "GainEstimate", fails)
    asked = Problem(NESTED, ("accuracy", "flops"), cost)
    study = make_study(SpaceSampler(asked, Auto(asked, samples=200)))
    found = [step(study, NESTED) for _ in range(21)]
    assert min(NESTED.distance(found[-1], one) for one in found[:-1]) <= 3


def test_pending_trials_push_the_next_ones_away() -> None:
    asked = Problem(NESTED, ("accuracy", "flops"), cost)
    study = make_study(SpaceSampler(asked, Auto(asked, samples=200)))
    for _ in range(20):
        step(study, NESTED)
    asks = [NESTED.suggest(study.ask()) for _ in range(4)]
    assert all(NESTED.distance(a, b) >= 1 for a, b in combinations(asks, 2))
    assert len({cost(one)["flops"] for one in asks}) > 1


@pytest.mark.parametrize(
    ("objectives", "is_heard"),
    [
        (("accuracy", "flops"), True),
        (("loss", "flops"), True),
        (("accuracy", "latency"), True),
        (("accuracy", "energy"), False),
        (("accuracy", "loss"), False),
    ],
)
def test_trials_that_wait_at_a_rung_end_the_spread_if_all_is_known_of_them(
    objectives: tuple[str, ...], is_heard: bool
) -> None:
    asked = Problem(NESTED, objectives, cost)
    found = [proposal_after_rungs(asked, worth) for worth in (accuracy, lambda one: -accuracy(one))]
    assert (found[0] != found[1]) == is_heard


def proposal_after_rungs(
    asked: Problem[Architecture], worth: Callable[[Architecture], float]
) -> Architecture:
    """Return what is proposed when a dozen trials are known at their first rung alone."""
    study = make_study(SpaceSampler(asked, Auto(asked, samples=200)))
    for _ in range(auto.START):
        trial = study.ask()
        architecture = NESTED.suggest(trial)
        value = worth(architecture)
        trial.set_user_attr("latency", cost(architecture)["flops"] / 1e6)
        # Not by `Trial.report`, which refuses two objectives.
        study._storage.set_trial_intermediate_value(trial._trial_id, 1, value)
    return NESTED.suggest(study.ask())


@pytest.mark.parametrize("space", [NESTED, SMALL])
def test_only_what_is_about_to_be_proposed_is_measured(space: Space[Architecture]) -> None:
    measured: list[Architecture] = []

    def keeps(architecture: Architecture) -> bool:
        measured.append(architecture)
        return True

    asked = Problem(space, ("accuracy", "flops"), cost, keeps=keeps)
    study = make_study(SpaceSampler(asked, Auto(asked, samples=200)))
    assert [step(study, space) for _ in range(auto.START)] == measured
    for _ in range(8):
        step(study, space)
    assert len(measured) <= auto.START + 8 * (1 + auto.CLIMBS)


def test_the_best_of_those_that_keep_a_measured_limit_is_next() -> None:
    """As if the limit had been known of all of them."""

    def keeps(architecture: Architecture) -> bool:
        return architecture.stages[0].norm == "batch"

    known, measured = (
        Problem(SMALL, ("accuracy",), cost, feasible=keeps),
        Problem(SMALL, ("accuracy",), cost, keeps=keeps),
    )
    strategies = (Auto(known, start=1), Auto(measured, start=1))
    told = [SMALL[i] for i in range(0, SMALL.size, 5)]
    entries = (
        PastTrial(i, one, key(one), (-accuracy(one),), {}, {}, TrialState.COMPLETE)
        for i, one in enumerate(told)
    )
    history = History(tuple(entries), (-1.0,))
    first, second = (strategy(history, Random(0)) for strategy in strategies)
    assert keeps(second)
    assert first == second

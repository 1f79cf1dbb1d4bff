import re
from typing import Any

import optuna
import pytest

from neptune_nas.errors import OptionError
from neptune_nas.samplers.classic import Evolution, Nsga2
from neptune_nas.samplers.factory import OPTUNA_SAMPLERS, OWN_SAMPLERS, make_sampler
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import SpaceSampler
from tests.samplers.helpers import SMALL, make_study, step

PROBLEM = Problem(SMALL, seed=3)


@pytest.mark.parametrize("name", OWN_SAMPLERS)
def test_ours_propose_whole_architectures(name: str) -> None:
    assert isinstance(make_sampler(name, PROBLEM), SpaceSampler)


@pytest.mark.parametrize("name", sorted(set(OPTUNA_SAMPLERS) - {"gp"}))
def test_optunas_own_search_the_space_too(name: str) -> None:
    study = make_study(make_sampler(name, PROBLEM), 1)
    assert all(step(study, SMALL) in SMALL for _ in range(12))


def test_options_reach_the_strategy() -> None:
    sampler = make_sampler("evolution", PROBLEM, {"population": 7})
    assert isinstance(sampler, SpaceSampler)
    assert sampler.strategy == Evolution(PROBLEM, population=7)


def test_a_class_of_the_users_is_found_and_seeded() -> None:
    sampler = make_sampler("optuna.samplers:RandomSampler", PROBLEM)
    assert isinstance(sampler, optuna.samplers.RandomSampler)
    again = make_sampler("optuna.samplers:RandomSampler", PROBLEM)
    first, second = (step(make_study(one), SMALL) for one in (sampler, again))
    assert first == second


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("evolutoin", "sampler 'evolutoin' is unknown: did you mean 'evolution'"),
        ("no_such_module:Sampler", "is it installed or on PYTHONPATH"),
        ("optuna.samplers:TPE", "must be a class derived from optuna.samplers.BaseSampler"),
        ("optuna:create_study", "must be a class derived from optuna.samplers.BaseSampler"),
    ],
)
def test_unknown_samplers_are_refused(name: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make_sampler(name, PROBLEM)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(OptionError, match="sampler 'evolution' has no option `populaton`: did you"):
        make_sampler("evolution", PROBLEM, {"populaton": 7})


def test_values_that_a_sampler_refuses_are_passed_on_in_its_words() -> None:
    with pytest.raises(OptionError, match="sampler 'qmc' refuses"):
        make_sampler("qmc", PROBLEM, {"qmc_type": "dice"})


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        (
            "evolution",
            {"population": -3},
            "`population` must be a whole number of at least 1, but got -3.",
        ),
        (
            "evolution",
            {"population": "x"},
            "`population` must be a whole number of at least 1, but got 'x'.",
        ),
        ("evolution", {"sample": 0}, "`sample` must be a whole number of at least 1, but got 0."),
        (
            "nsga2",
            {"population": 0},
            "`population` must be a whole number of at least 1, but got 0.",
        ),
        (
            "nsga2",
            {"population": 2.5},
            "`population` must be a whole number of at least 1, but got 2.5.",
        ),
        ("nsga2", {"crossover": 1.5}, "`crossover` must be a number in 0..1, but got 1.5."),
        ("nsga2", {"mutation": float("nan")}, "`mutation` must be a number in 0..1, but got nan."),
        ("nsga2", {"mutation": True}, "`mutation` must be a number in 0..1, but got True."),
        ("local", {"start": 0}, "`start` must be a whole number of at least 1, but got 0."),
        ("auto", {"start": "x"}, "`start` must be a whole number of at least 1, but got 'x'."),
        (
            "auto",
            {"samples": -1, "start": 2},
            "`samples` must be a whole number of at least 1, but got -1.",
        ),
    ],
)
def test_values_that_ours_cannot_work_with_are_refused(
    name: str, options: dict[str, Any], says: str
) -> None:
    message = f"sampler '{name}' refuses {options!r}: {says}"
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        make_sampler(name, PROBLEM, options)


def test_a_whole_number_is_a_share_too() -> None:
    sampler = make_sampler("nsga2", PROBLEM, {"crossover": 1, "mutation": 0})
    assert isinstance(sampler, SpaceSampler)
    assert sampler.strategy == Nsga2(PROBLEM, crossover=1.0, mutation=0.0)

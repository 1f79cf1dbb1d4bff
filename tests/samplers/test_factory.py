import optuna
import pytest

from neptune_nas.errors import OptionError
from neptune_nas.samplers.classic import Evolution
from neptune_nas.samplers.factory import OPTUNAS, OURS, make_sampler
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import SpaceSampler
from tests.samplers.helpers import SMALL, make_study, step

PROBLEM = Problem(SMALL, seed=3)


@pytest.mark.parametrize("name", OURS)
def test_ours_propose_whole_architectures(name: str) -> None:
    assert isinstance(make_sampler(name, PROBLEM), SpaceSampler)


@pytest.mark.parametrize("name", sorted(set(OPTUNAS) - {"gp"}))
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

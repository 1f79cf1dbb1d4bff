from dataclasses import replace

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from neptune_nas.architecture.records import Architecture
from neptune_nas.metrics.pareto import ranks
from neptune_nas.metrics.registry import metric
from neptune_nas.samplers.history import History, HistoryReader, PastTrial, best, crowding, ranked
from neptune_nas.samplers.problem import Problem
from neptune_nas.study.objectives import directions
from tests.samplers.helpers import SMALL, make_study

PROBLEM = Problem(SMALL, ("accuracy", "flops"))


def entry(number: int, losses: tuple[float, ...], broken: float = 0.0) -> PastTrial[Architecture]:
    constraints = {"latency": broken}
    name = str(number)
    return PastTrial(number, Architecture(), name, losses, {}, constraints, TrialState.COMPLETE)


def read(study: optuna.Study) -> History[Architecture]:
    return HistoryReader(PROBLEM).read(study, study.ask()._cached_frozen_trial)


def ask(study: optuna.Study) -> optuna.Trial:
    trial = study.ask()
    SMALL.suggest(trial)
    return trial


def random_study() -> optuna.Study:
    return make_study(optuna.samplers.RandomSampler(seed=0))


def test_losses_are_turned_so_that_less_is_better() -> None:
    study = random_study()
    study.tell(ask(study), (0.9, 5.0))
    assert read(study).entries[0].losses == (-0.9, 5.0)


def test_trials_come_in_the_order_they_ended_and_running_ones_last() -> None:
    study = random_study()
    trials = [ask(study) for _ in range(4)]
    for i in (2, 0, 3):
        study.tell(trials[i], (0.5, 1.0))
    assert [entry.number for entry in read(study).entries] == [2, 0, 3, 1]


def test_a_reader_that_looked_before_sees_what_a_new_one_does() -> None:
    study, reader = random_study(), HistoryReader(PROBLEM)
    for ended in (None, 1, 0, None, 3):
        reader.read(study, ask(study)._cached_frozen_trial)
        ask(study)
        if ended:
            study.tell(ended, (0.5, 1.0))
        elif ended == 0:
            study.tell(ended, state=TrialState.FAIL)
    asking = study.ask()._cached_frozen_trial
    assert reader.read(study, asking) == HistoryReader(PROBLEM).read(study, asking)
    assert len({entry.state for entry in reader.read(study, asking).entries}) == 3


def test_two_studies_of_one_name_are_told_apart() -> None:
    reader = HistoryReader(PROBLEM)
    for score in (0.9, 0.1):
        study = random_study()
        for _ in range(2):
            study.tell(ask(study), (score, 1.0))
        history = reader.read(study, study.ask()._cached_frozen_trial)
        assert [e.losses for e in history.entries] == [(-score, 1.0)] * 2


def test_the_trial_that_asks_is_left_out() -> None:
    study = random_study()
    trial = ask(study)
    history = HistoryReader(PROBLEM).read(study, study.get_trials(deepcopy=False)[trial.number])
    assert history.entries == ()


def with_one_trial(objectives: tuple[str, ...]) -> PastTrial[Architecture]:
    """Return a trial of two rungs, reported as 0.25 at the proxy's and at 1, and of 2.5 ms."""
    study = optuna.create_study(directions=directions([*map(metric, objectives)]))
    trial = ask(study)
    for rung in (0, 1):
        study._storage.set_trial_intermediate_value(trial._trial_id, rung, 0.25)
    trial.set_user_attr("latency", 2.5)
    asking = study.ask()._cached_frozen_trial
    return HistoryReader(Problem(SMALL, objectives)).read(study, asking).entries[0]


def test_what_rungs_tell_is_turned_so_that_more_is_better_but_never_a_proxy() -> None:
    assert with_one_trial(("accuracy", "flops")).rungs == {0: 0.25, 1: 0.25}
    assert with_one_trial(("flops", "loss")).rungs == {0: 0.25, 1: -0.25}


def test_an_objective_that_a_running_trial_names_is_known_ahead() -> None:
    found = with_one_trial(("accuracy", "latency"))
    assert (found.loss(0), found.loss(1)) == (None, 2.5)
    assert with_one_trial(("accuracy", "flops")).ahead == {}


@pytest.mark.parametrize("told", ["5 ms", float("inf"), None])
def test_what_is_no_number_is_not_known_ahead(told: object) -> None:
    study = random_study()
    ask(study).set_user_attr("flops", told)
    assert read(study).entries[0].ahead == {}


def test_at_its_first_rung_a_trial_has_no_proxy_nor_what_came_later() -> None:
    finished = replace(entry(0, (-0.9, 2.5)), rungs={0: 40.0, 1: 0.3, 3: 0.6}, ahead={1: 2.5})
    first = finished.at_first
    assert (first.losses, first.rungs, first.state) == (None, {1: 0.3}, TrialState.RUNNING)
    assert first.loss(1) == 2.5


def test_what_has_only_a_proxy_stands_as_it_is() -> None:
    pruned = replace(entry(0, (0.0,)), losses=None, rungs={0: 40.0}, state=TrialState.PRUNED)
    assert pruned.at_first is pruned


def test_scores_that_are_no_numbers_do_not_count_as_finished() -> None:
    study = random_study()
    study.tell(ask(study), (float("inf"), 1.0))
    assert read(study).finished == []


def test_architectures_are_read_back() -> None:
    study = random_study()
    trial = study.ask()
    architecture = SMALL.suggest(trial)
    assert list(read(study).seen.values()) == [architecture]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_earlier_fronts_rank_first(points: list[tuple[int, int]]) -> None:
    entries = [entry(i, (float(a), float(b))) for i, (a, b) in enumerate(points)]
    fronts = ranks(np.array(points, dtype=float))
    order = [int(fronts[e.number]) for e in ranked(entries)]
    assert order == sorted(order)
    assert len(order) == len(points)


def test_broken_constraints_rank_last_by_how_much() -> None:
    entries = [entry(0, (0.0,), 3.0), entry(1, (9.0,)), entry(2, (1.0,), 1.0)]
    assert [e.number for e in best(entries, 3)] == [1, 2, 0]


def test_the_ends_of_a_front_are_the_loneliest() -> None:
    alone = crowding(np.array([[0.0, 4.0], [1.0, 2.0], [1.5, 1.5], [4.0, 0.0]]))
    assert np.isinf(alone[[0, 3]]).all()
    assert alone[2] > alone[1] > 0
